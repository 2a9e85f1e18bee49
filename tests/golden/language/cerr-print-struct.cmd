dtrace -qs cerr-print-struct.d
