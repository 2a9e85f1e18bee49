dtrace -qs struct-typedef-alignment.d
