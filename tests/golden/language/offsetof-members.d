struct s { int a; char b; long c; struct { int x; int y; } d; int e[3]; };
BEGIN { trace(offsetof(struct s, a)); trace(offsetof(struct s, b)); trace(offsetof(struct s, c)); trace(offsetof(struct s, d)); trace(offsetof(struct s, e)); exit(0); }
