#pragma D attributes Stable/Stable/ISA provider dtrace foo
BEGIN { exit(0); }
