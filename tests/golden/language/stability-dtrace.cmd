dtrace -ve -n 'dtrace:::BEGIN { trace(timestamp); exit(0); }'
