dtrace -qs pragma-lockmem.d
