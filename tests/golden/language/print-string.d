BEGIN { s = "abc"; print(s); exit(0); }
