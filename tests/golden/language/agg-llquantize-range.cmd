dtrace -qs agg-llquantize-range.d
