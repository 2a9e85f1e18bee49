#pragma D option bufsize=16
BEGIN { trace("a long string"); exit(0); }
