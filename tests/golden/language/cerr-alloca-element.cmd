dtrace -qs cerr-alloca-element.d
