struct s { int a; int b; }; struct s x; struct s y;
BEGIN { x.a = 3; x.b = 4; y = x; printf("%d %d\n", y.a, y.b); exit(0); }
