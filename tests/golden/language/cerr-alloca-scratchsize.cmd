dtrace -qs cerr-alloca-scratchsize.d
