struct s { u8 a; u16 b; u32 c; u64 d; s8 e; }; struct s v; BEGIN { v.b = 300; trace(v.b); trace(sizeof(v)); exit(0); }
