dtrace -qs str-strchr.d
