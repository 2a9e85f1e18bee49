dtrace -qs struct-copy.d
