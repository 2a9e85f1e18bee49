BEGIN { trace(uregs["a"]); exit(0); }
