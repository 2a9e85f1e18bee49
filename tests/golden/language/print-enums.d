enum ze { ZA, ZB = -3, ZC }; enum ze e; struct zs { enum ze e; enum ze f[2]; } s;
BEGIN { e = ZB; print(&e); s.e = ZC; s.f[0] = 77; print(&s); exit(0); }
