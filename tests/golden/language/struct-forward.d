struct zqa { struct zqb *b; int x; }; struct zqb { struct zqa *a; int y; }; struct zqa u; struct zqb v;
BEGIN { u.x = 1; v.y = 2; u.b = &v; v.a = &u; trace(u.b->a->b->y); exit(0); }
