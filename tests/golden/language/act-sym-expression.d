BEGIN { x = usym(4096); exit(0); }
