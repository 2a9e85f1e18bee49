dtrace -qs cerr-type-name-named.d
