dtrace -qs offsetof-typedef.d
