#include <sys/time.h>
#include <time.h>
#include <unistd.h>
#include <signal.h>
struct timeval tv;
BEGIN { tv.tv_sec = 4; trace(tv.tv_sec); trace(sizeof(struct timespec)); exit(0); }
