/*
 * ticks.c: see ticks.h.
 */
#ifndef _GNU_SOURCE
#    define _GNU_SOURCE
#endif
#include "ticks.h"

#include <time.h>

static uint64_t system_clock(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

#if TICKS_HAVE_COUNTER

#    include <cpuid.h>
#    include <fcntl.h>
#    include <string.h>
#    include <sys/prctl.h>
#    include <unistd.h>

enum {
    WINDOW = 200000,        /* nanoseconds from one setting to the next */
    RATE_FIRST = 100000,    /* that the first measure of the rate takes at least */
    RATE_LONGEST = 1 << 30, /* then it is measured anew, as the kernel corrects its own */
    READING = 1 << 13,      /* ticks that a reading of both may take: more, and the thread was interrupted */
    TRIES = 3,
    TOO_LOW =
        1 << 15, /* of the rate so much less is taken, that the time need not go back at the next setting */
};

bool ticks_usable(void) {
    unsigned a, b, c, d;
    if (!__get_cpuid(0x80000007, &a, &b, &c, &d) || !(d & 1U << 8))
        return false;
    int permitted = 0;
    if (prctl(PR_GET_TSC, &permitted) != 0 || permitted != PR_TSC_ENABLE)
        return false;
    char names[256] = "";
    int file =
        open("/sys/devices/system/clocksource/clocksource0/available_clocksource", O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return false;
    ssize_t got = read(file, names, sizeof names - 1);
    close(file);
    return got > 0 && strstr(names, "tsc ") != NULL;
}

/* Both clocks at one moment, the counter a little later. False: they are not to be had close together. */
static bool read_both(uint64_t *tick, uint64_t *nanoseconds) {
    for (int i = 0; i < TRIES; i++) {
        uint64_t before = __rdtsc();
        *nanoseconds = system_clock();
        *tick = __rdtsc();
        if (*tick - before < READING)
            return true;
    }
    return false;
}

/* Measures the rate from the first setting to this one. False: that is not long enough, or makes no sense. */
static bool measure_rate(struct ticks *ticks, uint64_t tick, uint64_t nanoseconds) {
    uint64_t time = nanoseconds - ticks->first_nanoseconds, passed = tick - ticks->first_tick;
    bool new_measure = !ticks->first_nanoseconds || tick <= ticks->first_tick || time > RATE_LONGEST;
    if (!new_measure && time < RATE_FIRST)
        return ticks->rate != 0;
    if (!new_measure) {
        double rate = (double)time / (double)passed * 4294967296.0;
        if (rate < 1 << 24 || rate > 1ULL << 40) /* 0.004 to 250 ns a tick */
            return false;
        ticks->rate = (uint64_t)(rate - rate / TOO_LOW);
        return true;
    }
    ticks->first_tick = tick;
    ticks->first_nanoseconds = nanoseconds;
    /* Who was asleep for long goes on with the rate that it has; a counter that went back has none. */
    if (time > 4ULL * RATE_LONGEST)
        ticks->rate = 0;
    return ticks->rate != 0;
}

uint64_t ticks_set(struct ticks *ticks) {
    uint64_t tick, nanoseconds, passed, latest = ticks->nanoseconds;
    if (!ticks->counter)
        return system_clock();
    bool close = read_both(&tick, &nanoseconds);
    /* The latest time that it can have told until now. */
    passed = tick - ticks->tick;
    if (passed > ticks->window)
        passed = ticks->window;
    latest += passed * ticks->rate >> 32;
    if (nanoseconds < latest)
        nanoseconds = latest;
    ticks->window = 0;
    ticks->nanoseconds = nanoseconds;
    if (close && measure_rate(ticks, tick, nanoseconds)) {
        ticks->tick = tick;
        ticks->window = ((uint64_t)WINDOW << 32) / ticks->rate;
    }
    return nanoseconds;
}

#else

bool ticks_usable(void) {
    return false;
}

uint64_t ticks_set(struct ticks *ticks) {
    (void)ticks;
    return system_clock();
}

#endif
