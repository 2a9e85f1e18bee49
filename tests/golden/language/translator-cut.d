struct zo { char b; }; translator struct zo < int x > { b = x; }; BEGIN { trace(xlate <struct zo> (300).b); exit(0); }
