BEGIN { printf("%d %d %d %d %d %d %d %d %d", R_EAX,R_EBX,R_ECX,R_EDX,R_ESI,R_EDI,R_EBP,R_ESP,R_EIP); exit(0); }
