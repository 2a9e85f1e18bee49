union zu { long l; int i[2]; short s[4]; char c[8]; } u; BEGIN { u.l = 0x1122334455667788; printf("%x %x %x %x\n", u.i[0], u.i[1], u.s[3], u.c[7]); u.c[0] = 0; printf("%x\n", u.l); exit(0); }
