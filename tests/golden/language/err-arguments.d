BEGIN { trace(1); trace(*(int *)0); trace(2); }
BEGIN { exit(0); }
ERROR { printf("E %d %d %d %d %x\n", arg1, arg2, arg3 >= 0, arg4, arg5); }
