dtrace -qs cerr-alloca-bcopy.d
