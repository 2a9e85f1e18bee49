struct zs { int a; int b; }; struct zs x; BEGIN { a[x, 1] = 5; trace(a[x, 1]); trace(a[x, 2]); exit(0); }
