#pragma D attributes Stable/Stable/ISA pid
BEGIN { exit(0); }
