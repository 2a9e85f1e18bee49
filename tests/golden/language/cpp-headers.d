#define MIN(a, b) ((a) < (b) ? (a) : (b))
#include <errno.h>
#include <sys/types.h>
BEGIN { printf("%d %d\n", MIN(3, 4), ENOENT); exit(0); }
