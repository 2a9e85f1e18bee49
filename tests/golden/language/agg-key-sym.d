BEGIN { @[usym(0x400000), uaddr(1)] = count(); @[usym(0x500000), uaddr(1)] = count(); exit(0); }
