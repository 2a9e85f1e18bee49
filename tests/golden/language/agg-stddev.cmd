dtrace -qs agg-stddev.d
