BEGIN { p = (char *)NULL; p = (char *)alloca(4); exit(0); }
