BEGIN { x = 3; if (x == 3) { y = 1; if (y == 2) trace("a"); else { trace("b"); } } if (!x) trace("c"); exit(0); }
