provider foo { probe bar(int x, int x); }; BEGIN { exit(0); }
