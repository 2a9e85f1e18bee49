dtrace -qs array-of-arrays.d
