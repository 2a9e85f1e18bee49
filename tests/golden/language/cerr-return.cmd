dtrace -qs cerr-return.d
