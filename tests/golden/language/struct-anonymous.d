struct s { int a; struct { char b; short s; }; union { int i; char c[4]; }; }; struct s x;
BEGIN { x.a = 1; x.b = 2; x.s = 3; x.i = 0x41424344; printf("%d %d %d %x %c\n", x.a, x.b, x.s, x.i, x.c[0]); print(&x); exit(0); }
