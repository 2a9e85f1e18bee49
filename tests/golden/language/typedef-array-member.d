typedef char name_t[16]; struct zs { name_t n; } x; BEGIN { x.n[0] = 'a'; print(&x); trace(sizeof(name_t)); trace(x.n); exit(0); }
