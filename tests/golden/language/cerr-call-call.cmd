dtrace -xerrtags -qs cerr-call-call.d
