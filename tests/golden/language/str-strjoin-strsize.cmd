dtrace -qs str-strjoin-strsize.d
