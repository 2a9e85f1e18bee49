struct s { int a:3; int b; char c[7]; }; struct s x;
BEGIN { trace(sizeof(x.b)); trace(sizeof(x.c)); trace(sizeof(x.c[0])); trace(sizeof((&x)->b)); trace(sizeof x); exit(0); }
