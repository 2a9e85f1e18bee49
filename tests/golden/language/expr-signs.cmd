dtrace -qs expr-signs.d
