enum e { RED, GREEN = 5, BLUE };
struct s { enum e c; union { int i; long l; } u; int b:3; struct s *n; };
struct s v;
BEGIN { v.c = BLUE; v.u.i = 6; v.b = 2; print(v); exit(0); }
