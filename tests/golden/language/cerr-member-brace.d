struct zs { int; }; BEGIN { exit(0); }
