/*
 * consumer.h: from the arena of a session to what the user sees: reads what the traced processes have
 * recorded, in the order of time, does the actions (printf, printa, clear, exit...), prints aggregations,
 * errors and drops as dtrace prints them, or as JSON.
 *
 * One thread. Nothing in the arena is trusted.
 */
#ifndef CONSUMER_CONSUMER_H
#define CONSUMER_CONSUMER_H

#include "engine/arena.h"
#include "histogram.h"
#include "program/program.h"
#include "value.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct consumer;

/* Names for the default output and for messages; borrowed strings, or NULL when not known. */
struct consumer_probe {
    const char *provider, *module, *function, *name; /* function: used when the record does not carry it */
};

/* What a printf() has recorded; all is borrowed for the call. */
struct consumer_record {
    uint64_t time; /* nanoseconds of CLOCK_MONOTONIC */
    uint32_t pid, tid;
    const char *format; /* of the printf, as it says which one it is */
    const struct value *values;
    size_t count;
};

/* A line of a printa(): a key, and what each of its aggregations has for it. */
struct consumer_row {
    const char *format; /* of the printa */
    const struct value *keys;
    size_t key_count;
    const int64_t *numbers;             /* normalized; of a quantizing function 0 */
    const struct histogram *histograms; /* empty but for quantizing functions */
    size_t count;                       /* of aggregations */
};

/* What is made of the output, in place of printing it: printf() and printa() come here, other actions that
   print are left out. What returns false is not called again, and the pass ends as by a failed write: errno
   says why.
 */
struct consumer_sink {
    bool (*record)(void *context, const struct consumer_record *record);
    bool (*row)(void *context, const struct consumer_row *row); /* NULL: not of interest */
    void *context;
};

struct consumer_settings {
    FILE *out;        /* what the program prints; flushed at each pass. freopen() changes its descriptor */
    FILE *err;        /* errors and drops */
    const char *name; /* by which the command was called: the start of each message on err */
    bool terminal;    /* out is a terminal: colour and alignment are welcome */
    /* Is a write that a signal interrupts to be given up? NULL: never. */
    bool (*gives_up)(void *context);
    /* The probe with this id. */
    bool (*probe)(void *context, uint32_t id, struct consumer_probe *probe);
    void *context;
    const struct consumer_sink *sink; /* borrowed; NULL: the output is printed */
};

/* The program is checked, and borrowed with the arena until consumer_close. NULL: a line in `problem`. */
struct consumer *consumer_open(const struct program_header *program, struct arena *arena,
                               const struct consumer_settings *settings, char *problem, size_t n);

/* How a pass went. */
enum consumer_state {
    CONSUMER_GOING,  /* go on */
    CONSUMER_EXITED, /* an exit() was read: consumer_exit_status */
    CONSUMER_FAILED, /* the output cannot be written (closed pipe, full disk): errno is that of the write */
};

/* Prints the records with a timestamp below `until` (ns of CLOCK_MONOTONIC; UINT64_MAX: all that is there),
   merged by time, and counts drops. Frees what was read. With bufpolicy fill or ring records are read with
   UINT64_MAX only, when the tracing is over. */
enum consumer_state consumer_pass(struct consumer *consumer, uint64_t until);

/* Of the last exit() that was read, which may be one of END; with bufpolicy fill or ring, before the last
   pass, of the arena. */
int consumer_exit_status(const struct consumer *consumer);

/* Has nothing yet been printed, is a record waiting? For the command's pace. */
bool consumer_waiting(const struct consumer *consumer);

/* The output has failed: leaves out what has been recorded until now, and writes what comes, plain, to
   another. */
void consumer_divert(struct consumer *consumer, FILE *out);

/* The process has died or its session is over: take its records (with the next pass) and aggregations out of
   the arena, and free its slots. */
void consumer_process_gone(struct consumer *consumer, uint32_t pid);

/* After the last pass: prints the aggregations that no printa printed, as dtrace does at exit, and the last
 * drops. */
enum consumer_state consumer_end(struct consumer *consumer);
void consumer_close(struct consumer *consumer);

/* Counters since the start, for guard rails and the last line. */
uint64_t consumer_records(const struct consumer *consumer);

#endif
