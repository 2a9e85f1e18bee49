enum e { SIGINT = 4 }; BEGIN { printf("%d\n", SIGINT); exit(0); }
