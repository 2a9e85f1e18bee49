BEGIN { @a[1] = sum(3000); @b[1] = sum(500); normalize(@a, 100); printa("%d %@d %@d\n", @a, @b); exit(0); }
