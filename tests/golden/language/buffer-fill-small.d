#pragma D option bufsize=8
#pragma D option bufpolicy=fill
BEGIN { trace("a long string"); exit(0); }
