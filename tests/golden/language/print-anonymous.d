struct zs { struct { int a; }; union { int b; long c; }; struct { int d; } e; }; struct zs s;
BEGIN { s.c = 5; print(&s); exit(0); }
