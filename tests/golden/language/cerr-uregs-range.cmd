dtrace -xerrtags -qs cerr-uregs-range.d
