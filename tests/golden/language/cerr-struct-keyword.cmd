dtrace -xerrtags -qs cerr-struct-keyword.d
