dtrace -xaggsortkeypos=1 -xaggsortkey -qs agg-sort-second-key.d
