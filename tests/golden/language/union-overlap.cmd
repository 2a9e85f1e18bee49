dtrace -qs union-overlap.d
