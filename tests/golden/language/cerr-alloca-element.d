BEGIN { a["x"] = (int *)alloca(8); a["y"] = (int *)0; trace(a["y"]); exit(0); }
