dtrace -qs printf-Y-width.d
