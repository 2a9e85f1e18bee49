dtrace -s buffer-fill-small.d
