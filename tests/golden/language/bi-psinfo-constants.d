BEGIN { printf("%d %d %d\n", curpsinfo->pr_dmodel, curpsinfo->pr_zoneid, curpsinfo->pr_wstat); printf("%s\n", curlwpsinfo->pr_name); exit(0); }
