dtrace -qs printf-precision.d
