dtrace -qs print-struct.d
