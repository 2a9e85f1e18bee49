struct zs { int a; } x; union zu { int a; } y; BEGIN { trace(x == y); exit(0); }
