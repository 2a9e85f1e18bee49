dtrace -qs fn-bcopy.d
