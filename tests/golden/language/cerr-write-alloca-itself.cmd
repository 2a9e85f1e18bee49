dtrace -xerrtags -qs cerr-write-alloca-itself.d
