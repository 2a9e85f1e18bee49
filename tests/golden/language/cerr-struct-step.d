struct zs {int a;}; struct zs x; BEGIN { x += 1; exit(0); }
