struct s { int x; char c[6]; short q[3]; };
struct s v;
BEGIN { v.x = 1; v.c[0] = 'a'; v.q[1] = 3; print(&v); print(v); exit(0); }
