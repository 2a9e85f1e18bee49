unsigned size_t x; BEGIN { exit(0); }
