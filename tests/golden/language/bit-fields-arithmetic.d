struct zs { unsigned a:1, b:2, c:29; } x; BEGIN { x.a = 3; x.b = 5; x.c = -1; trace(x.a); trace(x.b); trace(x.c); x.b++; trace(x.b); x.b += 4; trace(x.b); x.a ^= 1; trace(x.a); exit(0); }
