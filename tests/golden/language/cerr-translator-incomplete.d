translator struct nosuch < int x > { b = 1; }; BEGIN { exit(0); }
