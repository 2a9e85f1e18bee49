BEGIN { p = alloca(5); @[p != NULL] = count(); p = alloca(6); exit(0); }
