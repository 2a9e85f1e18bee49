dtrace -xerrtags -qs cerr-psinfo-dot.d
