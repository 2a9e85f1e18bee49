BEGIN { @a = stddev(-100); @a = stddev(100); @b = stddev(5000000000); @b = stddev(1); @m = min(-3); @m = min(7); @x = max(-3); @x = max(-7); exit(0); }
