enum zc { RED, GREEN = 7, BLUE }; BEGIN { trace(RED); trace(BLUE); x = (enum zc)8; trace(x == BLUE); print(&x); exit(0); }
