dtrace -xerrtags -qs cerr-alloca-address-of.d
