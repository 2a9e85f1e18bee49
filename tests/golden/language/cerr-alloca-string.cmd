dtrace -xerrtags -qs cerr-alloca-string.d
