dtrace -x maxframes=-1 -n 'BEGIN { trace(1); exit(0); }'
