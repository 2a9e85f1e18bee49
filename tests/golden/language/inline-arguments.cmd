dtrace -qs inline-arguments.d
