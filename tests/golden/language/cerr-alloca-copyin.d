BEGIN { p = (char *)copyin(0, 1); p = (char *)5; exit(0); }
