BEGIN { i = speculation(); }
BEGIN { speculate(i); trace(1); trace("two"); printf(" %d\n", 3); }
BEGIN { speculate(i); printf("second\n"); }
BEGIN { commit(i); printf("third\n"); }
BEGIN { printf("fourth\n"); exit(0); }
