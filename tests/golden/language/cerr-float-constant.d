BEGIN { x = 1.0f; exit(0); }
