dtrace -qs cerr-array-bounds.d
