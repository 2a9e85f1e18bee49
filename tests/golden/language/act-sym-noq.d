BEGIN { usym(0x400000); uaddr(16); exit(0); }
