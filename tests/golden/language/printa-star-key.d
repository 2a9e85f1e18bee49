BEGIN { @[5, 10] = count(); printa("%*d|%@d\n", @); exit(0); }
