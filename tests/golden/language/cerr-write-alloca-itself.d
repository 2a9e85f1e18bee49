BEGIN { *(char *)alloca(1) = 'x'; exit(0); }
