dtrace -qs printf-flags.d
