BEGIN { trace(uregs[R_RSP, 1]); exit(0); }
