/*
 * figures.h: what the table of `catprobe top` shows, from samples: for each line, function and thread its
 * part of the latest window of time, and its time since the start.
 *
 * A part is samples for each tick: 1.0 is one thread all the time.
 */
#ifndef VIEWER_FIGURES_H
#define VIEWER_FIGURES_H

#include "command/sampling.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Which samples are counted; those that wait for the GIL always are, as that. */
enum figures_filter {
    FIGURES_ACTIVE, /* that are on a CPU */
    FIGURES_GIL,    /* that have the GIL */
    FIGURES_ALL,
};

enum figures_by { FIGURES_LINES, FIGURES_FUNCTIONS, FIGURES_THREADS, FIGURES_BY };

enum figures_column {
    FIGURES_OWN,        /* it is the innermost; of a thread: counted */
    FIGURES_TOTAL,      /* it is on the stack; of a thread: it has the GIL */
    FIGURES_OWN_TIME,   /* the same two in seconds since the start */
    FIGURES_TOTAL_TIME, /* */
    FIGURES_WAIT,       /* it is the innermost, and waits for the GIL */
    FIGURES_COLUMNS
};

struct figures_row {
    char *function, *file; /* of a thread: its name, and "" */
    uint32_t line; /* the current one, the function's first, or a thread's id of the kernel; 0: not known */
    pid_t pid;     /* of a thread's process, else 0 */
    char *label;   /* "function (file:line)" */
    double value[FIGURES_COLUMNS];
    double wait_time;         /* seconds since the start */
    uint64_t hash, stamp;     /* private */
    struct figures_row *next; /* private */
};

/* Of the latest window, but for the last lines. */
struct figures_totals {
    double gil, active, waits; /* parts */
    unsigned threads;
    bool stale;       /* no tick came, so that all figures are those of a former window */
    double seconds;   /* since the start */
    uint64_t samples; /* counted, since the start, and these too: */
    uint64_t torn,
        behind; /* samples that could not be had; ticks and samples that there was no time or room for */
};

struct figures;

struct figures *figures_new(enum figures_filter filter, uint64_t period);
void figures_free(struct figures *figures);

/* A sample of the window that runs. */
void figures_take(struct figures *figures, const struct sampling_process *process,
                  const struct sample *sample);

/* Ends the window, and begins the next. */
void figures_turn(struct figures *figures);

/* Begins anew. */
void figures_reset(struct figures *figures);

const struct figures_totals *figures_totals(const struct figures *figures);

/* The rows, the greatest of the column first. Valid until the next call of one of these functions. */
struct figures_row *const *figures_sorted(struct figures *figures, enum figures_by by,
                                          enum figures_column column, size_t *count);

#endif
