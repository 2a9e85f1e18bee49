int a[5];
BEGIN { a[5] = 1; printf("%d\n", a[5]); exit(0); }
