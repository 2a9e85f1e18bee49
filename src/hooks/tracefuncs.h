/*
 * tracefuncs.h: events by the C trace and profile functions of each thread, on CPythons without
 * sys.monitoring (before 3.12). All calls need the GIL.
 */
#ifndef CATPROBE_TRACEFUNCS_H
#define CATPROBE_TRACEFUNCS_H

#include "compat.h"

/* What is asked of them; bits. */
enum {
    TRACEFUNC_FUNCTIONS = 1,   /* function-entry, function-return, by the profile function */
    TRACEFUNC_C_FUNCTIONS = 2, /* c-function-entry, c-function-return, by the profile function */
    TRACEFUNC_LINES = 4,       /* line, by the trace function */
    TRACEFUNC_RAISES = 8,      /* exception-raise, by the trace function */
};

/* Ask for these and nothing else, in every thread that the interpreter has; 0 puts all back as it was. A
   function of the program's own stays: ours calls it. To be called again now and then, as a program's
   sys.settrace replaces ours. */
void tracefuncs_set(unsigned wishes);

/* The calling thread is new: install in it what is asked for. */
void tracefuncs_new_thread(PyThreadState *tstate);

#endif
