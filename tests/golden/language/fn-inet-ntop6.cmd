dtrace -qs fn-inet-ntop6.d
