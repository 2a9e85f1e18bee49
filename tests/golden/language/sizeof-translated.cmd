dtrace -xerrtags -qs sizeof-translated.d
