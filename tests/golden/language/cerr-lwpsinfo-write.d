BEGIN { curlwpsinfo->pr_state = 5; exit(0); }
