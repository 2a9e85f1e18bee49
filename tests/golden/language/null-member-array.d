struct zs { int a; int b[4]; struct { int c; } d; struct zs *n; } *p; BEGIN { trace(p->b[2]); exit(0); } ERROR { printf("%d %x\n", arg4, arg5); exit(1); }
