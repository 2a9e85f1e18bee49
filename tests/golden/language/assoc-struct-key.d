struct zs { int a; int b; }; struct zs x; BEGIN { a[x] = 1; x.a = 1; a[x] = 2; trace(a[x]); x.a = 0; trace(a[x]); exit(0); }
