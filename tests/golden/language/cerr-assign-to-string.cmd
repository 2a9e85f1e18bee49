dtrace -xerrtags -qs cerr-assign-to-string.d
