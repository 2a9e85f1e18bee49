BEGIN { x = 0; x /= 0; exit(0); }
