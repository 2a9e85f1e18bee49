BEGIN { p = (int *)alloca(4); p = p ? p : p; p = (p == NULL) ? NULL : p; exit(0); }
