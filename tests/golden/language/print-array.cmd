dtrace -qs print-array.d
