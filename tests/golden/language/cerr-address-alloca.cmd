dtrace -xerrtags -qs cerr-address-alloca.d
