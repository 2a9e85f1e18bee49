#pragma D option strsize=8
BEGIN { s = strjoin("abcdef", "ghijkl"); printf("[%s] %d\n", s, strlen(s)); s = "0123456789abcdef"; printf("[%s] %d\n", s, strlen(s)); exit(0); }
