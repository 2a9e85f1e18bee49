int x[SIGINT]; BEGIN { printf("%d\n", sizeof(x)); exit(0); }
