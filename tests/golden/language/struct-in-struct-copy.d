struct zs { int a; }; struct zt { struct zs s; int b; } x; struct zs y; BEGIN { y.a = 7; x.s = y; trace(x.s.a); y = x.s; trace(y.a); exit(0); }
