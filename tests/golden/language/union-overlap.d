union u { int i; char c[4]; short s[2]; long l; }; union u x;
BEGIN { x.l = 0x4142434445464748; printf("%x %x %x %d\n", x.i, x.s[1], x.c[3], sizeof(x)); print(&x); exit(0); }
