dtrace -qs const-enum.d
