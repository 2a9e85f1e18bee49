provider foo { probe bar(int x) : (int y); }; BEGIN { exit(0); }
