dtrace -xerrtags -qs cerr-provider-same-parameter.d
