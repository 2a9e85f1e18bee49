BEGIN { @a[1] = sum(5); @a[2] = sum(2); @b[1] = sum(1); @b[2] = sum(9); printa("%d %@d %@d\n", @a, @b); exit(0); }
