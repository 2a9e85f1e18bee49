BEGIN { trace(curpsinfo.pr_pid); exit(0); }
