dtrace -qs expr-mixed-signs.d
