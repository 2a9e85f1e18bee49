dtrace -qs str-index-edges.d
