BEGIN { x = 1; } BEGIN { trace(x); y = x; } BEGIN { trace(y); exit(0); }
