dtrace -qs expr-if-nested.d
