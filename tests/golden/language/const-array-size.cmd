dtrace -qs const-array-size.d
