BEGIN { trace((void)5); exit(0); }
