dtrace -xerrtags -qs cerr-write-cast-sum.d
