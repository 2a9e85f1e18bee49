BEGIN { @[func(0x1234)] = count(); @b[mod(0x1234), 5] = count(); exit(0); }
