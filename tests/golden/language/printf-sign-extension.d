BEGIN { printf("%x %x %x %u\n", (char)-1, (short)-1, (int)-1, (char)-1); printf("%o %d\n", (char)-1, (unsigned char)-1); exit(0); }
