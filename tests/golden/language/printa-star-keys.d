BEGIN { @[5, 3, 10] = count(); @[-6, 0, 7] = count(); printa("%*.*d|%@d\n", @); exit(0); }
