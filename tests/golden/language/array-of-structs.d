struct p { int x; int y; }; struct p a[3];
BEGIN { a[0].x = 1; a[2].y = 5; trace(a[0].x + a[2].y); trace(sizeof(a)); print(&a); print(&a[2]); exit(0); }
