int a[2][3];
BEGIN { a[0][0] = 1; a[1][2] = 5; trace(a[0][0] + a[1][2]); trace(sizeof(a)); print(&a); exit(0); }
