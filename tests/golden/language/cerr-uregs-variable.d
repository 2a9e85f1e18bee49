BEGIN { x = 3; trace(uregs[x]); exit(0); }
