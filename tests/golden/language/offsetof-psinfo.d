BEGIN { trace(offsetof(psinfo_t, pr_dmodel)); trace(offsetof(lwpsinfo_t, pr_onpro)); trace(sizeof(struct psinfo)); exit(0); }
