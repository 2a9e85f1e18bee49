provider foo { probe bar(int x) : (int x); probe b(); }; BEGIN { printf("ok\n"); exit(0); }
