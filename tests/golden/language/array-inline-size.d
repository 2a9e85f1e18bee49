inline int N = 4; int x[N]; BEGIN { trace(sizeof(x)); exit(0); }
