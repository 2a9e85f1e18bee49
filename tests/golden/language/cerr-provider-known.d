provider dtrace { probe bar(); }; BEGIN { exit(0); }
