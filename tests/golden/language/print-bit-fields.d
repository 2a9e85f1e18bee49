struct zs { int a:3; unsigned b:4; int :5; int c:1; long long d:40; }; struct zs s;
BEGIN { s.a = -1; s.b = 9; s.c = 1; s.d = -5; print(&s); exit(0); }
