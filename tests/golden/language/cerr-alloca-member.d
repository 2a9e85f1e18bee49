struct zs { int a; struct zs *n; char c[4]; }; BEGIN { p = (struct zs *)alloca(sizeof(struct zs)); q = p->n; q = (struct zs *)5; exit(0); }
