dtrace -xerrtags -qs cerr-syntax-typedef-unknown.d
