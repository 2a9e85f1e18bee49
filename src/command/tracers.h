/*
 * Who is attached to a target: the processes that trace it with ptrace(2) and those that hold uprobes on its
 * USDT sites, by name and pid. Only what the kernel tells, and the tracer's own command line where the kernel
 * does not tell which processes a uprobe is for; of others' processes it tells root alone.
 */
#ifndef TRACERS_H
#define TRACERS_H

#include "process.h"
#include "targets.h"

#include <stdint.h>

struct attached {
    pid_t pid;                        /* 0: not known, or none */
    char name[PROCESS_NAME_MAX + 24]; /* "bpftrace", or "a tracer" */
    bool certain;                     /* false: it may be attached to other processes only */
    bool ptraces;
    uint64_t probes; /* bit i: listens to probe i of the target's status */
};

struct tracers; /* what was found in /proc */

/* Looks through all processes, but only if a probe of a target has a tracer. Free with tracers_free. */
struct tracers *tracers_find(const struct targets *targets);

void tracers_free(struct tracers *tracers);

/* Who is attached to a target, in an array to be freed by the caller, and their number in `count`. Whatever
 * probe has a tracer is in one of them, if need be "a tracer". */
struct attached *tracers_of(const struct tracers *tracers, const struct target *target, size_t *count);

/* Writes "bpftrace (4711): function-entry, function-return". */
void attached_describe(const struct attached *attached, const struct target *target, char *text, size_t size);

#endif
