struct zo { int b; }; translator struct zo < int x > { b = x + 1; }; BEGIN { y = xlate <struct zo> (5); exit(0); }
