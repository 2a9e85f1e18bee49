dtrace -qs agg-quantize-extremes.d
