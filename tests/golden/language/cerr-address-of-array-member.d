struct zs { char a[4]; };
BEGIN { p = (struct zs *)alloca(16); bcopy("abc", p, 4); print(p); print(&p->a); print(p->a); exit(0); }
