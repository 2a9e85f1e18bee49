dtrace -qs registers-32bit.d
