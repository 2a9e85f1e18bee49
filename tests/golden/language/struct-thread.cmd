dtrace -xerrtags -qs struct-thread.d
