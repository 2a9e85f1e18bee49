dtrace -qs cerr-copyinto-address.d
