dtrace -xerrtags -qs cerr-trace-void.d
