dtrace -qs enum-typedef.d
