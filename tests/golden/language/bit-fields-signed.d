struct zs { int a:1, b:2, c:29; } x; BEGIN { x.a = 1; x.b = 2; x.c = 1 << 28; trace(x.a); trace(x.b); trace(x.c); trace(x.a + x.b); exit(0); }
