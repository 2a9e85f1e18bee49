dtrace -qs expr-shift-wide.d
