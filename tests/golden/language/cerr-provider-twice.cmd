dtrace -xerrtags -qs cerr-provider-twice.d
