dtrace -ve -n 'BEGIN { @a = count(); x = 1; self->y = 2; printf("%d", x); } END { trace(1); }'
