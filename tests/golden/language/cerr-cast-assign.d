BEGIN { x = (string)"abc"; y = (char *)"abc"; exit(0); }
