dtrace -qs fn-link-ntop.d
