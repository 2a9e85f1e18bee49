dtrace -qs str-nul.d
