dtrace -qs agg-quantize-weights.d
