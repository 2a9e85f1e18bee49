BEGIN { trace(sizeof(uregs[0])); trace(R_RSP); trace(R_RIP); trace(R_PC); trace(R_SP); trace(R_FP); trace(R_R0); trace(R_R1); exit(0); }
