dtrace -xerrtags -qs cerr-address-of-scalar.d
