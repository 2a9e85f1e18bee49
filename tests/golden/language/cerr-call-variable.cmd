dtrace -xerrtags -qs cerr-call-variable.d
