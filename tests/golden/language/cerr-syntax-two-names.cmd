dtrace -xerrtags -qs cerr-syntax-two-names.d
