dtrace -qs inline-strings.d
