dtrace -qs str-substr-edges.d
