union zu { int i; char c[4]; struct { short a; short b; } s; }; union zu u; BEGIN { u.s.b = 1; trace(u.i); u.c[0] = 5; trace(u.s.a); exit(0); }
