dtrace -xerrtags -qs cerr-alloca-copyin.d
