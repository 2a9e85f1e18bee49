int u64; BEGIN { exit(0); }
