BEGIN { printf("%S|%S\n", "a\tb\n\"c\\", "\001\377x"); exit(0); }
