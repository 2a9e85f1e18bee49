dtrace -qs cerr-alloca-step.d
