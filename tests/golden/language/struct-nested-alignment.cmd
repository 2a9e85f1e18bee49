dtrace -qs struct-nested-alignment.d
