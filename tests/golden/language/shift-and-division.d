BEGIN { x = -1; y = 1u; trace(x < y); trace(x < (uint64_t)1); trace(x + y); trace(sizeof(x + y)); exit(0); }
