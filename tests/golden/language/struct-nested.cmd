dtrace -qs struct-nested.d
