#pragma D option stdc=a
BEGIN { trace(1); exit(0); }
