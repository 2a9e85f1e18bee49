dtrace -qs pointer-arithmetic.d
