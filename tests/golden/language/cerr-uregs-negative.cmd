dtrace -xerrtags -qs cerr-uregs-negative.d
