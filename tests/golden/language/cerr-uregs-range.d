BEGIN { trace(uregs[100]); exit(0); } ERROR { exit(1); }
