inline int zN = 4; struct zs { int a[zN]; int b:zN; }; BEGIN { trace(sizeof(struct zs)); exit(0); }
