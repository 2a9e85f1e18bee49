dtrace -xerrtags -qs cerr-redeclare-psinfo.d
