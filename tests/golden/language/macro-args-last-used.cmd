dtrace -qn 'BEGIN { printf("%s\n", $$3); exit(0); }' 1 2 3
