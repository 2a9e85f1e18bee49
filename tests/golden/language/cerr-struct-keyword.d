struct int { int a; }; BEGIN { exit(0); }
