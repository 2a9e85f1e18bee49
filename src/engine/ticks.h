/*
 * ticks.h: CLOCK_MONOTONIC from the processor's counter, where that can be trusted: one instruction for a
 * system's clock of some twenty nanoseconds. Each thread has a clock of its own, which is set by the system's
 * every fifth of a millisecond, so that all threads and processes agree within some ten nanoseconds.
 */
#ifndef ENGINE_TICKS_H
#define ENGINE_TICKS_H

#include <stdbool.h>
#include <stdint.h>

#if defined __x86_64__ && defined __linux__
#    define TICKS_HAVE_COUNTER 1
#    include <x86intrin.h>
#else
#    define TICKS_HAVE_COUNTER 0
#endif

/* Zeroed at first. */
struct ticks {
    bool counter;                           /* may be used: ticks_usable() */
    uint64_t window;                        /* ticks for which the setting holds; 0: not set */
    uint64_t tick;                          /* the counter when it was set */
    uint64_t nanoseconds;                   /* the time when it was set */
    uint64_t rate;                          /* nanoseconds in 2^32 ticks */
    uint64_t first_tick, first_nanoseconds; /* what the rate is measured from */
};

/* Does the counter run at one speed on all processors, and has the kernel found nothing wrong with it? Reads
 * files. */
bool ticks_usable(void);

uint64_t ticks_set(struct ticks *ticks);

/* The time by the counter, which may be used; 0: the clock has to be set first. */
static inline uint64_t ticks_count(const struct ticks *ticks) {
#if TICKS_HAVE_COUNTER
    uint64_t passed = __rdtsc() - ticks->tick;
    if (__builtin_expect(passed < ticks->window, 1))
        return ticks->nanoseconds + (passed * ticks->rate >> 32);
#else
    (void)ticks;
#endif
    return 0;
}

/* Nanoseconds of CLOCK_MONOTONIC; in one thread it never goes back. */
static inline uint64_t ticks_now(struct ticks *ticks) {
    uint64_t now = ticks->window ? ticks_count(ticks) : 0;
    return __builtin_expect(now != 0, 1) ? now : ticks_set(ticks);
}

#endif
