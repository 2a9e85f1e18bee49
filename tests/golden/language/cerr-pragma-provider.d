#pragma D attributes Stable/Stable/ISA provider nosuch provider
BEGIN { exit(0); }
