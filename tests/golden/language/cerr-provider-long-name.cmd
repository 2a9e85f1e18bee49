dtrace -xerrtags -qs cerr-provider-long-name.d
