dtrace -qn 'BEGIN { printf("%s\n", $$10); exit(0); }' 1 2 3 4 5 6 7 8 9 10 11
