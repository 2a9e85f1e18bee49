union u { unsigned int w; struct { unsigned int lo:16; unsigned int hi:16; } h; unsigned char b[4]; }; union u v;
BEGIN { v.w = 0x12345678; printf("%x %x %x %x\n", v.h.lo, v.h.hi, v.b[0], v.b[3]); exit(0); }
