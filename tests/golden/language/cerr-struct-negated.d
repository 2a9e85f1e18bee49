struct zs {int a;}; struct zs x; BEGIN { trace(-x); exit(0); }
