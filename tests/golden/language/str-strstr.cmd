dtrace -qs str-strstr.d
