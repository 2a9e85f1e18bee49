dtrace -qs cerr-alloca-ternary.d
