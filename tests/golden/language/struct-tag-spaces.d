struct zqs { int a; }; union zqs { int b; }; enum zqs { ZQ1 }; union zqs x;
BEGIN { x.b = 1; trace(x.b); exit(0); }
