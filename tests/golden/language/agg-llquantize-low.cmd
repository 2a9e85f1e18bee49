dtrace -qs agg-llquantize-low.d
