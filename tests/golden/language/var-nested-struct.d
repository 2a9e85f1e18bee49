struct in { int a; struct { int b; char c[8]; } n; struct in *next; };
struct in v; struct in w;
BEGIN { v.a = 1; v.n.b = 2; v.n.c[0] = 'x'; v.n.c[1] = 'y'; v.n.c[2] = 0; v.next = &w; w.a = 77; printf("%d %d %s %d %d\n", v.a, v.n.b, stringof(v.n.c), v.next->a, sizeof(v)); exit(0); }
