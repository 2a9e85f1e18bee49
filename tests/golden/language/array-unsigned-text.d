unsigned char x[4]; BEGIN { x[0] = 'a'; trace(x); printf("%s\n", x); exit(0); }
