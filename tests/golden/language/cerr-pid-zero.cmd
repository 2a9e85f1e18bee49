dtrace -xerrtags -qs cerr-pid-zero.d
