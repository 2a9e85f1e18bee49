struct zi { int a; }; struct zo { int b; int c; }; translator struct zo < struct zi *i > { b = i->a; c = i->a * 2; }; struct zi x; BEGIN { x.a = 4; trace(xlate <struct zo *> (&x)->c); exit(0); }
