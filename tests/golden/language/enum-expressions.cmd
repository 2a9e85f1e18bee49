dtrace -qs enum-expressions.d
