BEGIN { a[1] = 5; p = &a[1]; trace(*p); exit(0); }
ERROR { exit(1); }
