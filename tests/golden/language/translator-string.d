struct out { int x; string s; };
translator struct out < pid_t I > { x = I; s = I == $pid ? "me" : "x"; };
BEGIN { printf("%d %s\n", xlate <struct out> ((pid_t)pid).x == pid, xlate <struct out> ((pid_t)pid).s); exit(0); }
