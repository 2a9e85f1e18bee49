dtrace -xerrtags -qs sizeof-psinfo.d
