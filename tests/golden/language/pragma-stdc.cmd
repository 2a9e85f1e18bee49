dtrace -qs pragma-stdc.d
