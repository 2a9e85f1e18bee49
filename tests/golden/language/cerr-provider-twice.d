provider foo { probe bar(); probe bar(); }; BEGIN { exit(0); }
