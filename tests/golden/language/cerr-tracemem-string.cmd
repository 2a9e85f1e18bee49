dtrace -qs cerr-tracemem-string.d
