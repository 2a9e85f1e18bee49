typedef x x; BEGIN { exit(0); }
