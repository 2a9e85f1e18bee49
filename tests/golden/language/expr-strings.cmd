dtrace -qs expr-strings.d
