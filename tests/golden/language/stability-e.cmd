dtrace -ev -n 'dtrace:::BEGIN{exit(0)}'
