union u { int i; char c[4]; short s[2]; };
union u v;
BEGIN { v.i = 0x41424344; printf("%c %c %c %c %x %x\n", v.c[0], v.c[1], v.c[2], v.c[3], v.s[0], v.s[1]); exit(0); }
