dtrace -xerrtags -qs cerr-print-psinfo.d
