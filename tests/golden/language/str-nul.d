BEGIN { printf("%d %d %d\n", strlen("a\0b"), "a\0b" == "a", sizeof("a\0b")); exit(0); }
