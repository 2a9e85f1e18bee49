BEGIN { trace(R_RIP); trace(R_SP); trace(R_FP); trace(R_RAX); trace(R_PC); trace(R_R0); trace(R_R1); trace(R_PS); exit(0); }
