inline int f[int a, int b] = a * b + 1;
BEGIN { printf("%d\n", f[3, 4]); exit(0); }
