dtrace -xerrtags -qs cerr-assign-void.d
