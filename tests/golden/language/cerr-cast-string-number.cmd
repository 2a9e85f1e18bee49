dtrace -xerrtags -qs cerr-cast-string-number.d
