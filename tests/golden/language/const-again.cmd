dtrace -qs const-again.d
