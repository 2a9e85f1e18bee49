inline int trace[int x] = x; BEGIN { exit(0); }
