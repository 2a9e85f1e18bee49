BEGIN { trace(curlwpsinfo->pr_stype); trace(curlwpsinfo->pr_sname); trace(curlwpsinfo->pr_wchan); printf("%c\n", curlwpsinfo->pr_sname); exit(0); }
