dtrace -qs struct-forward.d
