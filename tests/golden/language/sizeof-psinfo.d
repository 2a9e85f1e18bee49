BEGIN { trace(sizeof(psinfo_t)); trace(sizeof(lwpsinfo_t)); exit(0); }
