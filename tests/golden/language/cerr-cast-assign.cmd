dtrace -xerrtags -qs cerr-cast-assign.d
