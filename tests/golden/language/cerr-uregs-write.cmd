dtrace -xerrtags -qs cerr-uregs-write.d
