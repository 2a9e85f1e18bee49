dtrace -xerrtags -qs cerr-array-huge.d
