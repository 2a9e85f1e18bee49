dtrace -qs typedef-struct.d
