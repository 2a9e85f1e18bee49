dtrace -G
