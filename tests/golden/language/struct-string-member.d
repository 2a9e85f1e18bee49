struct zs { int a; string s; }; struct zs x;
BEGIN { x.s = "abc"; trace(x.s); trace(sizeof(x)); print(&x); exit(0); }
