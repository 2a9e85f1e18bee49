dtrace -qs typedef-function-pointer.d
