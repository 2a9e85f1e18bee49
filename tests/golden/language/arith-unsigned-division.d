BEGIN { i = -3; u = 2U; trace(i / u); trace(i % 2); trace(i >> 1); trace(u >> 1); trace(i < u); trace(i * 2); trace(i & 0xff); l = -3LL; trace(l < u); trace(l / u); exit(0); }
