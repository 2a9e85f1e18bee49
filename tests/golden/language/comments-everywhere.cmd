dtrace -qs comments-everywhere.d
