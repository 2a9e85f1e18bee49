dtrace -qs expr-if-exit.d
