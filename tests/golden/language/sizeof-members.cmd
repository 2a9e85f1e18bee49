dtrace -qs sizeof-members.d
