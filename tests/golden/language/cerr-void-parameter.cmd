dtrace -xerrtags -qs cerr-void-parameter.d
