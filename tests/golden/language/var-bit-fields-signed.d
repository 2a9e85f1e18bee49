struct s { signed char a:4; short b:9; int c:17; }; struct s v;
BEGIN { v.a = -8; v.b = -256; v.c = -65536; printf("%d %d %d %d\n", v.a, v.b, v.c, sizeof(v)); v.a = 8; printf("%d\n", v.a); exit(0); }
