dtrace -qs act-sym-type.d
