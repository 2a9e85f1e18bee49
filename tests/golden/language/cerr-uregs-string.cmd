dtrace -xerrtags -qs cerr-uregs-string.d
