/*
 * wakeup.c: what a wake-up by the timer costs a thread, in ns of its CPU time: as the sampler sleeps, and
 * nothing else.
 *
 *     wakeup PERIOD_NS COUNT
 */
#include <linux/futex.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static uint64_t now(clockid_t clock) {
    struct timespec time;
    clock_gettime(clock, &time);
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

int main(int count, char **arguments) {
    if (count != 3)
        return 2;
    uint64_t period = strtoull(arguments[1], NULL, 10), wakeups = strtoull(arguments[2], NULL, 10);
    uint64_t due = now(CLOCK_MONOTONIC), start = now(CLOCK_THREAD_CPUTIME_ID);
    int never = 0;
    prctl(PR_SET_TIMERSLACK, 1);
    for (uint64_t i = 0; i < wakeups; i++) {
        due += period;
        struct timespec time = {(time_t)(due / 1000000000), (long)(due % 1000000000)};
        while (now(CLOCK_MONOTONIC) < due)
            syscall(SYS_futex, &never, FUTEX_WAIT_BITSET_PRIVATE, 0, &time, NULL, FUTEX_BITSET_MATCH_ANY);
    }
    printf("%.0f\n", (double)(now(CLOCK_THREAD_CPUTIME_ID) - start) / (double)wakeups);
    return 0;
}
