dtrace -xerrtags -qs cerr-agg-as-value.d
