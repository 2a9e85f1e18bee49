BEGIN { p = (char *)alloca(8); *(int *)(p + 4) = 1; trace(p[4]); exit(0); }
