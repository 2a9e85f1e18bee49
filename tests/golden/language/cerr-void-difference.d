BEGIN { x = alloca(4); y = alloca(4); trace(y - x); exit(0); }
