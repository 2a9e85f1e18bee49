dtrace -qs pointer-of-element.d
