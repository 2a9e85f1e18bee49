typedef struct { char c; int i; } t; struct e { short s; t v; char z; const t w; };
BEGIN { printf("%d %d %d %d\n", offsetof(struct e, v), offsetof(struct e, z), offsetof(struct e, w), sizeof(struct e)); exit(0); }
