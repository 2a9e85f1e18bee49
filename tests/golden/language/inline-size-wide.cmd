dtrace -xerrtags -qs inline-size-wide.d
