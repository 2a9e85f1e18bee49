dtrace -qs err-in-error.d
