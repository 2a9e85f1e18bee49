BEGIN { x = alloca(4); x = (void *)5; exit(0); }
