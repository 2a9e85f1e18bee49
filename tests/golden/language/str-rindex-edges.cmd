dtrace -qs str-rindex-edges.d
