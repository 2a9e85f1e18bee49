struct s { int x; int y; };
struct s arr[3];
BEGIN { arr[0].x = 1; arr[1].y = 2; arr[2].x = 3; printf("%d %d %d\n", arr[0].x, arr[1].y, arr[2].x); exit(0); }
