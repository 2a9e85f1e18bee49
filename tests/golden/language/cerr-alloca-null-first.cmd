dtrace -qs cerr-alloca-null-first.d
