dtrace -qs fn-inet-ntoa6-type.d
