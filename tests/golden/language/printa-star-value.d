BEGIN { @[12, 10] = count(); printa("%@*d|%d\n", @); exit(0); }
