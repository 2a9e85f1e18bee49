dtrace -xerrtags -qs cerr-member-function.d
