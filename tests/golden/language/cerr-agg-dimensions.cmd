dtrace -xerrtags -qs cerr-agg-dimensions.d
