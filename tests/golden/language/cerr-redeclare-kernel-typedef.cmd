dtrace -xerrtags -qs cerr-redeclare-kernel-typedef.d
