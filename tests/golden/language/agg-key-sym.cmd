dtrace -qs agg-key-sym.d
