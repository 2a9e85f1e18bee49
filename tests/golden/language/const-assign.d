BEGIN { SIGINT = 5; exit(0); }
