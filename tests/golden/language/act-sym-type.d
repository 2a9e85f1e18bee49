BEGIN { usym("abc"); exit(0); }
