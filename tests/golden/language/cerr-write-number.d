BEGIN { *(int *)5 = 1; exit(0); }
