struct bf { int a:3; unsigned b:5; int c:24; unsigned long d:40; }; struct bf x;
BEGIN { x.a = 5; x.b = 31; x.c = -1; x.d = 1ull << 39; printf("%d %d %d %x %d\n", x.a, x.b, x.c, x.d, sizeof(struct bf)); print(&x); exit(0); }
