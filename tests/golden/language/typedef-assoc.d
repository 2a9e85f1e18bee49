typedef int a_t[int]; a_t z; BEGIN { exit(0); }
