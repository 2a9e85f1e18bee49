dtrace -qs registers.d
