dtrace -qs cerr-bcopy-address.d
