typedef struct s { int a; } s_t; s_t x; typedef s_t *s_p; s_p p;
BEGIN { x.a = 7; p = &x; trace(p->a); print(p); print(&x); exit(0); }
