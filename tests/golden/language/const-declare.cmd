dtrace -qs const-declare.d
