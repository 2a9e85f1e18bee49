BEGIN { p = (char *)alloca(8); q = &p[1]; q = (char *)5; exit(0); }
