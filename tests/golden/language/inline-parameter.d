inline int sq[int x] = x * x; BEGIN { trace(sq[4]); exit(0); }
