dtrace -qs cerr-divide-assign-zero.d
