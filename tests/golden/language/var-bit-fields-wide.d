struct s { unsigned int a:1; unsigned int b:7; unsigned int c:24; unsigned long d:33; }; struct s v;
BEGIN { v.a = 1; v.b = 127; v.c = 0xabcdef; v.d = 0x1ffffffff; printf("%d %d %x %x %d\n", v.a, v.b, v.c, v.d, sizeof(v)); v.b++; v.c <<= 4; printf("%d %d %x\n", v.a, v.b, v.c); exit(0); }
