unsigned char *x; BEGIN { x = "abc"; exit(0); }
