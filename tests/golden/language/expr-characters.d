BEGIN { printf("%d %d %d %d\n", 'a', '\n', '\x41', '\101'); printf("%d\n", 'ab'); printf("%d\n", 'abcd'); exit(0); }
