dtrace -xerrtags -qs cerr-write-number.d
