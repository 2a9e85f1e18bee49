dtrace -qs act-sym.d
