BEGIN { x = (void)5; exit(0); }
