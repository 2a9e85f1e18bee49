struct bf { int a:3; unsigned int b:5; };
struct bf v;
BEGIN { v.a = 5; v.b = 33; printf("%d %d\n", v.a, v.b); v.a++; v.b += 2; printf("%d %d\n", v.a, v.b); exit(0); }
