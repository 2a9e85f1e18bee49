BEGIN { trace(*(int *)0); }
ERROR { trace(*(int *)8); exit(3); }
tick-100ms { exit(4); }
