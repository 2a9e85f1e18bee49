dtrace -qs sizeof-variable.d
