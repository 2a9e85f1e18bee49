dtrace -xerrtags -qs sizeof-makes-known.d
