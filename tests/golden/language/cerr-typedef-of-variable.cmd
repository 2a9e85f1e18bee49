dtrace -xerrtags -qs cerr-typedef-of-variable.d
