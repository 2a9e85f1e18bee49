dtrace -qs fn-inet-ntop.d
