BEGIN { printf("%s %s\n", strchr("abcabc", 'b'), strrchr("abcabc", 'b')); printf("%d\n", strchr("abc", 'x') == NULL); printf("[%s]\n", strchr("abc", '\0')); exit(0); }
