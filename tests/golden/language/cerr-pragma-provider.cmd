dtrace -xerrtags -qs cerr-pragma-provider.d
