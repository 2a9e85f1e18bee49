BEGIN { trace("a\x41bcd"); trace("\x4"); trace("\1019"); trace("\8"); trace("\x"); exit(0); }
