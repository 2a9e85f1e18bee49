dtrace -xerrtags -qs cerr-void-named.d
