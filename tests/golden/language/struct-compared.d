struct zs { int a; } x, y; BEGIN { trace(x == y); trace(x != y); trace(x == x); exit(0); }
