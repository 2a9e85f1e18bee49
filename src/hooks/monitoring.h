/*
 * monitoring.h: events by sys.monitoring (PEP 669, CPython 3.12+): lines, C functions, exceptions, and
 * functions where frame evaluation cannot be had. All calls need the GIL of the main interpreter, and drop
 * what they raise.
 */
#ifndef CATPROBE_MONITORING_H
#define CATPROBE_MONITORING_H

#include "compat.h"

/* What is asked of sys.monitoring; bits. */
enum {
    MONITOR_FUNCTIONS = 1,   /* function-entry, function-return */
    MONITOR_INITS = 2,       /* those of __init__ that frame evaluation does not see (3.13) */
    MONITOR_LINES = 4,       /* line */
    MONITOR_C_FUNCTIONS = 8, /* c-function-entry, c-function-return */
    MONITOR_RAISES = 16,     /* exception-raise */
    MONITOR_SELECTED = 32, /* function-entry, function-return and line only of code objects that the listener
                              wants; the others are switched off */
};

/* Ask for these and nothing else; 0 gives the tool id back. A change also makes live again what DISABLE has
   switched off. `verdicts`: which of the listener's verdicts hold, events.verdicts; `continued`: the entries
   of the functions that are running have been heard, by frame evaluation. Returns the wishes that are had
   now: all, or 0 if there is no tool id free or sys.monitoring objects. Cheap when nothing changes. */
unsigned monitoring_set(unsigned wishes, unsigned verdicts, bool continued);

#endif
