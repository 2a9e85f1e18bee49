BEGIN { print("abc"); exit(0); }
