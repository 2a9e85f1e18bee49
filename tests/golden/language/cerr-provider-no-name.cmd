dtrace -xerrtags -qs cerr-provider-no-name.d
