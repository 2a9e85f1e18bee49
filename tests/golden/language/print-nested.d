struct zi { int a; char c[4]; }; struct zo { struct zi i; struct zi a[2]; struct zi *p; union { int x; char y; } u; char *s; void *v; int (*f)(int); int m[2][2]; }; struct zo o;
BEGIN { o.i.a = 1; o.a[1].a = 4; o.i.c[0] = 'q'; o.m[1][0] = 8; print(&o); exit(0); }
