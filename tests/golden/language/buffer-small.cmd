dtrace -s buffer-small.d
