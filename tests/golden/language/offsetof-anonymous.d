struct s { int a; struct { int x; int y; }; union { int p; long q; }; };
BEGIN { trace(offsetof(struct s, x)); trace(offsetof(struct s, y)); trace(offsetof(struct s, q)); exit(0); }
