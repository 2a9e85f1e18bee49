dtrace -qs struct-pointers.d
