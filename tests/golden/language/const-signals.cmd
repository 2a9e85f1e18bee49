dtrace -qs const-signals.d
