dtrace -qs expr-sizes-constants.d
