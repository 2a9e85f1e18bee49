dtrace -x strsize=10g -n 'BEGIN { trace(1); exit(0); }'
