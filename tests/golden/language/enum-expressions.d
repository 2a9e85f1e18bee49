enum color { RED = 1 << 3, GREEN = RED + 1 };
BEGIN { printf("%d %d\n", RED, GREEN); exit(0); }
