/*
 * processes.h: the processes of a trace: those of -p and -c, or all that can be traced; which of them the
 * program wants, and how it goes with each.
 */
#ifndef PROCESSES_H
#define PROCESSES_H

#include "catalog.h"
#include "child.h"
#include "session.h"
#include "trace.h"

#include <poll.h>

struct process {
    struct target target;           /* as found */
    uint32_t first;                 /* id of its first probe */
    bool wanted;                    /* by the program */
    struct program_header *program; /* its own, when it has one; freed with it */
    int descriptor;                 /* of the sealed program, or -1: that of the first */
    uint64_t again_at, again_until; /* ns of CLOCK_MONOTONIC: when to ask for a session again that got no
                                       answer, and how long; 0: it has been answered or given up */
    struct session session;
};

/* Whether a process still runs. */
struct watch {
    int fd;       /* readable when it has ended, or -1 */
    bool visible; /* it is one of our pid namespace */
};

struct processes {
    const struct trace_request *request;
    struct catalog *catalog;
    struct process **items; /* in the order of -p and -c, else of the pids */
    size_t count;
    struct child *children; /* of -c */
    size_t child_count;
    struct watch *watched; /* for each of -p */
    bool looked;           /* they have been looked for */
    bool failed;           /* one that was asked for is not to be had: a message was printed */
    bool follows;          /* new ones are to be looked for: neither -p nor -c was given */
    int program;           /* the sealed program, or -1 */
    int arena;             /* borrowed */
    const char *clocks;    /* of clocks_of_targets; borrowed, set before processes_want */
};

/* Starts the children, which wait, and sees that those of -p exist. False after a message. */
bool processes_open(struct processes *processes, const struct trace_request *request,
                    struct catalog *catalog);
void processes_close(struct processes *processes);

/* $target: the first of -p, then of -c; 0: neither was given. */
pid_t processes_target(const struct processes *processes);

/* Looks for those that can be traced, once, and adds them to the catalog. A child begins to run for that. */
void processes_look(struct processes *processes);

/* Marks those that an enabling of the program means; a clock profile-N means all of -p and -c. Returns how
   many. */
size_t processes_want(struct processes *processes, const struct program_header *program);

/* Opens a session with each that is wanted. False after a message. */
bool processes_trace(struct processes *processes, const struct program_header *program, int arena);

/* Looks for processes that came since, and opens sessions with those that the program means. */
void processes_follow(struct processes *processes, const struct program_header *program);

/* How many sessions there are, in this state or a later one that is not the end; and their probes together.
 */
size_t processes_in(const struct processes *processes, enum session_state least, unsigned *probes);

/* When the next of those is to be asked again that gave no answer: ns of CLOCK_MONOTONIC, UINT64_MAX: none.
   By processes_receive. */
uint64_t processes_due(const struct processes *processes);

/* Fills in what is to be waited for. Returns how many; the caller frees *polls. Then takes what came. */
size_t processes_polls(const struct processes *processes, struct pollfd **polls, size_t extra);
void processes_receive(struct processes *processes);

/* Nothing more is to be expected: all that were given, or all that were wanted, have ended. */
bool processes_over(struct processes *processes);

/* Lets the children run, and whoever waits in them go on. False after a message that one cannot run. */
bool processes_release(struct processes *processes);

/* Ends all sessions. */
void processes_stop(struct processes *processes);

#endif
