dtrace -qs print-string.d
