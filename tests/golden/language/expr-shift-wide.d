BEGIN { printf("%d %d\n", 1 << 64, 1 >> 64); x = 65; printf("%d\n", 1 << x); exit(0); }
