dtrace -qs agg-key-func.d
