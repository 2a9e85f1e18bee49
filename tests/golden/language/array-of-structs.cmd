dtrace -qs array-of-structs.d
