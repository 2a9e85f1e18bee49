dtrace -qs typedef-linux.d
