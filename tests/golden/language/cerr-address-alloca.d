BEGIN { x = (void *)5; x = alloca(4); exit(0); }
