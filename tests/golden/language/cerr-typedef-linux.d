typedef int u8; u8 x; BEGIN { trace(sizeof(x)); exit(0); }
