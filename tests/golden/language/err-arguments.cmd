dtrace -qs err-arguments.d
