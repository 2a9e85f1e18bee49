dtrace -qs cerr-typedef-linux.d
