dtrace -qs print-builtin.d
