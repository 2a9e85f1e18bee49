dtrace -qs cerr-copyout-destructive.d
