dtrace -qs const-assign.d
