typedef int (*fn_t)(int, char *); fn_t f;
BEGIN { trace(sizeof(fn_t)); f = 0; trace(f); exit(0); }
