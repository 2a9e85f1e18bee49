dtrace -qs sizeof-promoted.d
