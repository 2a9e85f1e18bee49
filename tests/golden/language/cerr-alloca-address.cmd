dtrace -xerrtags -qs cerr-alloca-address.d
