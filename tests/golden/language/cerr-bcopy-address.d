BEGIN { bcopy("abc", (void *)0x1000, 3); exit(0); }
