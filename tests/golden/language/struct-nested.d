struct s { int a; struct { char b; short s; } n; union { int i; char c[4]; } u; }; struct s x;
BEGIN { x.a = 1; x.n.b = 2; x.n.s = 3; x.u.i = 0x41424344; printf("%d %d %d %x %c\n", x.a, x.n.b, x.n.s, x.u.i, x.u.c[0]); print(&x); exit(0); }
