BEGIN { i = speculation(); }
BEGIN { speculate(i); printf("a %d\n", i); }
BEGIN { discard(i); }
BEGIN { commit(i); j = speculation(); printf("%d\n", j); }
BEGIN { exit(0); }
