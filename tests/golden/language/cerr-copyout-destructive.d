BEGIN { copyout("abc", 0x1234, 4); exit(0); }
