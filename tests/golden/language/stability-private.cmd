dtrace -ve -n 'BEGIN { trace(curthread->pid); exit(0); }'
