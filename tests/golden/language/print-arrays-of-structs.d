struct zs { int a; } z; struct zs y[2][2]; struct zt { struct zs a[2][2]; struct zs *b[2]; } t;
BEGIN { print(&y); print(&t); exit(0); }
