/*
 * keys.h: a verb that runs can be told something by SIGUSR1, or by Enter or w on the terminal.
 */
#ifndef KEYS_H
#define KEYS_H

#include "trace.h"

#include <stdbool.h>

/* Fills in the descriptors to wait for, and says on standard error what does what. `terminal`: keys may be
   read, as no other program reads them. False after a message. */
bool keys_open(int wakes[TRACE_WAKES], bool terminal, const char *what);

/* Takes what has come. Returns whether that is one or more of those keys, or the signal. */
bool keys_take(int wakes[TRACE_WAKES]);

/* Leaves the terminal as it was. */
void keys_close(int wakes[TRACE_WAKES]);

#endif
