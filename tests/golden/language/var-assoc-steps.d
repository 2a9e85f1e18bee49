BEGIN { a["x"] = 1; a["x"]++; ++a["y"]; a["z"] += 5; printf("%d %d %d %d\n", a["x"], a["y"], a["z"], a["q"]); a["x"] = 0; printf("%d\n", a["x"]); exit(0); }
