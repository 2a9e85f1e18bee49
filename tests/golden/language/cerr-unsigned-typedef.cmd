dtrace -xerrtags -qs cerr-unsigned-typedef.d
