#pragma D option aggsize=10
BEGIN { @a = count(); exit(0); }
