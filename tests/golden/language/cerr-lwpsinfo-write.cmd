dtrace -xerrtags -qs cerr-lwpsinfo-write.d
