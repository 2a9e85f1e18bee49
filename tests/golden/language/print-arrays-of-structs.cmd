dtrace -qs print-arrays-of-structs.d
