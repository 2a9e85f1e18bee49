struct in { int a; char c; };
struct out { int x; int y; };
translator struct out < struct in *I > { x = I->a + 1; y = I->c; };
struct in v;
BEGIN { v.a = 4; v.c = 'A'; printf("%d %d\n", xlate <struct out> (&v).x, xlate <struct out> (&v).y); exit(0); }
