BEGIN { printf("%d %d %d %d %d\n", AF_INET, PR_MODEL_LP64, CLD_EXITED, SRUN, DTRACEFLT_BADADDR); exit(0); }
