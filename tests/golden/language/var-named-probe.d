BEGIN { probe = 1; trace(probe); exit(0); }
