dtrace -qs translator-string.d
