BEGIN { printf("[%s]\n", strtok(",,abc,,", ",")); printf("%d\n", strtok(NULL, ",") == NULL); exit(0); }
