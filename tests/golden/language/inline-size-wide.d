inline char zN = 300; int x[zN]; BEGIN { trace(sizeof(x)); exit(0); }
