BEGIN { uregs[0] = 1; exit(0); }
