typedef enum { A, B } e_t;
e_t v;
BEGIN { v = B; printf("%d\n", v); v = (e_t)0; trace(v); trace(B == v); exit(0); }
