inline string f[string a, int b] = b > 1 ? a : "none";
BEGIN { printf("%s %s\n", f["x", 1], f["y", 2]); exit(0); }
