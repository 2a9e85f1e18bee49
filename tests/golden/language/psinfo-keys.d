BEGIN { @[curpsinfo->pr_dmodel, curlwpsinfo->pr_state] = count(); exit(0); }
