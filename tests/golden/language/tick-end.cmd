dtrace -s tick-end.d
