struct a { long l; char d; }; struct b { char c; struct a x; short s; }; union u { char c; long l; }; struct c { char c; union u u; }; struct d { char c; struct b y[2]; long l; };
BEGIN { printf("%d %d %d %d %d %d\n", sizeof(struct a), sizeof(struct b), offsetof(struct b, x), offsetof(struct c, u), offsetof(struct d, y), offsetof(struct d, l)); exit(0); }
