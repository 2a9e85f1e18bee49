int curpsinfo; BEGIN { exit(0); }
