BEGIN { printf("%s\n", execargs); exit(0); }
