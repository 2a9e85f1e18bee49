enum { A1, B1 } x; enum { A1 } y; BEGIN { exit(0); }
