dtrace -xerrtags -qs cerr-enumerators-twice.d
