BEGIN { printf("%s\n", link_ntop(ARPHRD_ETHER, alloca(6))); exit(0); }
