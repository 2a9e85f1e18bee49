dtrace -xerrtags -qs cerr-parameter-twice.d
