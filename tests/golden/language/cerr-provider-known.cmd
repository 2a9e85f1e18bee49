dtrace -xerrtags -qs cerr-provider-known.d
