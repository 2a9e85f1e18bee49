dtrace -qs agg-normalize-one-of-two.d
