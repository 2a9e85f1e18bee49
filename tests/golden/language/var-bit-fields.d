struct bf { int a:3; unsigned int b:5; int c:10; unsigned d:14; };
struct bf v;
BEGIN { v.a = -1; v.b = 31; v.c = -100; v.d = 10000; printf("%d %d %d %d %d\n", v.a, v.b, v.c, v.d, sizeof(struct bf)); exit(0); }
