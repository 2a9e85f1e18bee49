dtrace -qs printf-escaped.d
