dtrace -qs var-nested-struct.d
