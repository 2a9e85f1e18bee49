dtrace -qs expr-casts.d
