dtrace -qs agg-quantize-signs.d
