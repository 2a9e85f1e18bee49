dtrace -qs struct-arrays.d
