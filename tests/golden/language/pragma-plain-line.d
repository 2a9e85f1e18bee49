#pragma line 55 "foo.d"
BEGIN { trace(1) exit(0); }
