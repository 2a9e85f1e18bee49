BEGIN { @a["b", 3] = sum(1); @a["a", 5] = sum(2); @a["a", 1] = sum(3); @a["c", 0] = sum(0); exit(0); }
