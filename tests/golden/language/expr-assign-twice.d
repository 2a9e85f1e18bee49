BEGIN { printf("%d\n", (x = 5) + x); printf("%d\n", sizeof(x = 5)); exit(0); }
