/*
 * clocks.h: the probes that fire in the command itself: BEGIN, END, and the clocks profile-N and tick-N, each
 * at exact multiples of its period. profile-N fires in the traced processes too.
 */
#ifndef CLOCKS_H
#define CLOCKS_H

#include "catalog.h"
#include "engine/arena.h"

#include <stdint.h>

struct clocks;

/* An engine for the program in this process; the catalog learns the clocks that the program names. NULL after
 * a message. */
struct clocks *clocks_open(const struct program_header *program, struct arena *arena,
                           struct catalog *catalog);
void clocks_close(struct clocks *clocks);

void clocks_begin(struct clocks *clocks); /* fires BEGIN, and starts the clocks */
void clocks_end(struct clocks *clocks);   /* fires END */

/* Those that fire in the traced processes too, profile-N, as control.h has them in the request `trace`: "" if
   there are none. */
const char *clocks_of_targets(const struct clocks *clocks);

/* When the next clock is due, in nanoseconds of CLOCK_MONOTONIC; UINT64_MAX: never. */
uint64_t clocks_due(const struct clocks *clocks);

/* Fires the first that is due at this time; false: none is. */
bool clocks_fire_one(struct clocks *clocks, uint64_t now);

uint64_t clocks_now(void);

#endif
