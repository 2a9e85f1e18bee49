dtrace -xerrtags -qs cerr-parameter-class.d
