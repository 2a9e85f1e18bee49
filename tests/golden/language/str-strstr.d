BEGIN { printf("%s %d\n", strstr("abcabc", "ca"), strstr("abc", "x") == NULL); printf("[%s]\n", strstr("abc", "")); printf("[%s]\n", strstr("", "")); exit(0); }
