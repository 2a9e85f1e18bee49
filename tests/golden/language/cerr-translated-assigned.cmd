dtrace -xerrtags -qs cerr-translated-assigned.d
