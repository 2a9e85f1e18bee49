u8 x; u16 y; u32 z; u64 w; s8 a; s64 b; __u32 c; __s64 d; BEGIN { printf("%d %d %d %d\n", sizeof(x), sizeof(z), sizeof(b), sizeof(d)); exit(0); }
