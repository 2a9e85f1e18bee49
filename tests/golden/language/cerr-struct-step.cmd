dtrace -xerrtags -qs cerr-struct-step.d
