struct s { int a[4]; char n[8]; }; struct s x;
BEGIN { x.a[0] = 1; x.a[3] = 4; x.n[0] = 'h'; x.n[1] = 'i'; trace(x.a[3]); trace(x.n); printf("%s\n", stringof(x.n)); print(&x); exit(0); }
