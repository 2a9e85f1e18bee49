in6_addr_t a; BEGIN { printf("%d %s\n", sizeof(a), inet_ntoa6((in6_addr_t *)alloca(16))); exit(0); }
