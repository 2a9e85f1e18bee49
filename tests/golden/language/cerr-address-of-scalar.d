BEGIN { x = 1; tracemem(&x, 0); exit(0); }
