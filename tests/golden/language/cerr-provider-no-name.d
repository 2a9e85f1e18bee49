provider foo { probe bar(int) : (int); }; BEGIN { exit(0); }
