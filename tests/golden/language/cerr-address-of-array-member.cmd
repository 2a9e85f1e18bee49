dtrace -qs cerr-address-of-array-member.d
