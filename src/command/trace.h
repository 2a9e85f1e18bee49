/*
 * trace.h: what is to be traced, as the command line says it, and the trace itself: compile, arm, print, end.
 */
#ifndef TRACE_H
#define TRACE_H

#include "consumer/consumer.h"
#include "dlang/dlang.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>

enum { TRACE_PROCESSES_MAX = 20 }; /* more at once need `all` */

enum { TRACE_WAKES = 2 };

/* Who takes the output in place of a file, for verbs that make something else of it. All but `output` may be
   NULL. What returns false ends the trace, with a message that `name` cannot be written and why (errno). The
   context is that of `output`. */
struct trace_sink {
    struct consumer_sink output;
    const char *name; /* of what it writes */
    FILE *out;        /* where it writes all the time; when nobody reads that any more the trace ends */
    bool (*begins)(void *context); /* there is something to trace; false after a message: it shall not be */
    bool (*passed)(void *context); /* it has got all that there is for the moment */
    void (*process_gone)(void *context, pid_t pid);
    bool (*ended)(void *context);
    int wakes[TRACE_WAKES]; /* descriptors, or -1: when one can be read, and all that was recorded until */
    bool (*woken)(void *context); /* then has been handed over, this is called, which reads it */
};

struct trace_request {
    struct dlang_settings compiler; /* sources, arguments, options, preprocessor, zero_matches; the rest is
                                       filled in for each process */
    const char *const *given;       /* of each source: the path or the text, as it was given */
    const pid_t *pids;              /* of -p */
    size_t pid_count;
    const char *const *commands; /* of -c: words separated by blanks */
    size_t command_count;
    char *const *program;    /* of a verb: one more command as its words, NULL at the end; or NULL */
    const char *output;      /* of -o; NULL: standard output */
    bool append;             /* to that file, as dtrace does */
    struct trace_sink *sink; /* in place of that file; or NULL */
    bool compile_only;       /* -e */
    bool verbose;            /* -v */
    bool show_code;          /* -S */
    bool must_trace;         /* of a verb: no process to trace is a failure, and said in plain words */
    bool all;                /* --all: any number of processes */
};

/* Runs the whole trace. Returns the exit status. */
int trace_run(const struct trace_request *request);

#endif
