dtrace -qs typedef-assoc.d
