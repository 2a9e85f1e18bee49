dtrace -qs const-errno.d
