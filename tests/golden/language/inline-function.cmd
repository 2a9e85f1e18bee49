dtrace -qs inline-function.d
