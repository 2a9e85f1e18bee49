BEGIN { @[12] = count(); printa("%d %@*d|\n", @); exit(0); }
