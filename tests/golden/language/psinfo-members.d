BEGIN { printf("%d\n", curpsinfo->pr_pid == pid && curpsinfo->pr_ppid == ppid); trace(curlwpsinfo->pr_sname); trace(sizeof(curpsinfo->pr_dmodel)); exit(0); }
