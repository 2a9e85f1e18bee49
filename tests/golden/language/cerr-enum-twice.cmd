dtrace -xerrtags -qs cerr-enum-twice.d
