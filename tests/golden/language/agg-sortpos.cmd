dtrace -xaggsortpos=1 -qs agg-sortpos.d
