BEGIN { s = "abc"; s = 0; trace(s == ""); exit(0); } ERROR { exit(1); }
