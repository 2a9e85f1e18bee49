dtrace -qs struct-anonymous.d
