dtrace -xerrtags -qs cerr-pid-nosuch.d
