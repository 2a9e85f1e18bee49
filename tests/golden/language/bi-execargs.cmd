dtrace -qs bi-execargs.d
