dtrace -qs print-nested.d
