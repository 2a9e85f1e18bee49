dtrace -qs str-paths.d
