dtrace -qs str-strtok-delimiters.d
