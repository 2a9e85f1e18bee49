#pragma D option lockmem=x
BEGIN { trace(1); exit(0); }
