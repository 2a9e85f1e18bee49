enum ze { ZA = 0x7fffffff, ZB }; BEGIN { exit(0); }
