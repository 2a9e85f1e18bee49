dtrace -qs cerr-provider-parameter.d
