struct zs {int a;}; struct zs x; BEGIN { trace(x[0]); exit(0); }
