struct s { int x; int y; };
struct s v;
BEGIN { v.x = 1; v.y = 258; print(v); exit(0); }
