struct s { int a; int b;}; typedef struct s s_t;
BEGIN { trace(offsetof(s_t, b)); trace(sizeof(offsetof(s_t, b))); exit(0); }
