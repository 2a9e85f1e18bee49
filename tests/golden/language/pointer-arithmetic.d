BEGIN { p = (int *)alloca(16); p[0] = 1; p[1] = 2; p[2] = 3; q = p + 2; trace(*q); trace(q - p); trace(q > p); trace(q == p + 2); trace(*(p + 1)); trace(sizeof(q - p)); exit(0); }
