dtrace -xerrtags -qs cerr-struct-index.d
