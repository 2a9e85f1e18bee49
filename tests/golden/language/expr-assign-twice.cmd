dtrace -qs expr-assign-twice.d
