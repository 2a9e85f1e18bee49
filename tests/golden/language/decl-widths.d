unsigned long long int x; long unsigned y; short int z; signed char w;
BEGIN { x = -1; w = 200; printf("%d %u %d %d\n", sizeof(x), x, sizeof(z), w); exit(0); }
