inline int zN = 4; enum { ZA = zN }; BEGIN { trace(ZA); exit(0); }
