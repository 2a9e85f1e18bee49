dtrace -qs typedef-assoc-unused.d
