BEGIN { x = 1; trace(sizeof(x)); y = "abc"; trace(sizeof(y)); trace(sizeof(x++)); trace(x); exit(0); }
