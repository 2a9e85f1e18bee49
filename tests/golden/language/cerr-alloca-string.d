BEGIN { x = alloca(4); x = "a"; exit(0); }
