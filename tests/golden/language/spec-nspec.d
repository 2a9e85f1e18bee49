BEGIN { x = speculation(); y = speculation(); z = speculation(); w = speculation(); printf("%d %d %d %d\n", x, y, z, w); exit(0); }
