BEGIN { p = (char *)alloca(8); bcopy(p, p + 1, 4); bcopy(p, "x", 2); exit(0); }
