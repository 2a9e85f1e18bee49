struct zo { int b; }; translator struct zo < int x > { b = x; }; BEGIN { trace(sizeof(xlate <struct zo> (9).b)); trace(sizeof(xlate <struct zo> (9))); exit(0); }
