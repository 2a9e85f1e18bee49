dtrace -qs cerr-probe-id-0.d
