BEGIN { p = (uint32_t *)alloca(10); q = (uint8_t *)p; *p = 0x11223344; printf("%x %x %x %x\n", q[0], q[1], q[2], q[3]); exit(0); }
