dtrace -qs var-array-of-structs.d
