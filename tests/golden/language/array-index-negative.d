int a[3]; BEGIN { i = -1; a[i] = 4; exit(0); } ERROR { printf("%d %d", arg4, arg5); exit(1); }
