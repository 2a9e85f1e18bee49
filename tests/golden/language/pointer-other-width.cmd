dtrace -qs pointer-other-width.d
