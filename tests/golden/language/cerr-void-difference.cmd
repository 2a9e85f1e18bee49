dtrace -xerrtags -qs cerr-void-difference.d
