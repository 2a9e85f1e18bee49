BEGIN { trace(sizeof(int nosuch)); exit(0); }
