BEGIN { printf("%d %d %d\n", "abc" < "abd", "abc" == "abc", "b" > "abc"); printf("%d %d\n", "abc" != "abd", "abc" >= "abc"); exit(0); }
