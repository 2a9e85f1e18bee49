/*
 * sampling.h: samples of the stacks of running processes: asks for them (the verb `sample` of the control
 * socket, see control.h), and hands them on as they come. For record, top, dump.
 */
#ifndef SAMPLING_H
#define SAMPLING_H

#include "sampler/samples.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct sampling_request {
    const pid_t *pids;
    size_t pid_count;
    char *const *program; /* a command to start and sample, NULL at the end of its words; or NULL */
    uint64_t period;      /* ns between ticks */
    uint64_t ticks;       /* how many; 0: until sampling_close */
    bool idle;            /* threads that wait are sampled too */
    bool tasks;           /* asyncio tasks that wait too */
    bool locals;          /* the variables of each frame */
    bool native;          /* a C function that a frame has called is a frame */
    bool children; /* child processes too, also those that come later; those that are not Python are passed
                      over */
};

/* A process that is sampled. Lives until sampling_close. */
struct sampling_process {
    pid_t pid;
    const char *command;              /* its command line, for people */
    const char *version, *executable; /* of its interpreter: "3.11.7", its path; "" if not known */
    const struct samples_header
        *samples; /* its memory, see samples.h; stays mapped after the process's end */
    bool ended;
    const char *problem; /* why it is not sampled or what could not be had; NULL: nothing to say */
};

struct sampling;

/* Starts it. NULL after a message, as when none of the processes can be sampled. A process that cannot be
   sampled beside others that can gets a message and a `problem`. */
struct sampling *sampling_open(const struct sampling_request *request);

/* Stops it, frees all; a command that was started goes on. Returns its exit status if it has ended, else 0.
 */
int sampling_close(struct sampling *sampling);

/* All processes so far; *count may grow with each sampling_read. */
struct sampling_process *const *sampling_processes(const struct sampling *sampling, size_t *count);

/* Hands on each sample that has come, those of one process in the order of time; checked: its thread and its
   node are in the tables. Returns how many. Does not wait. */
typedef void sampling_take(void *context, const struct sampling_process *process,
                           const struct sample *sample);
size_t sampling_read(struct sampling *sampling, sampling_take *take, void *context);

/* Waits until there may be something to read, `fd` (or -1) is readable, a signal of signals.h has come, or
   until `deadline` (ns, CLOCK_MONOTONIC). False: nothing more will come, as all processes have ended or all
   ticks are there. */
bool sampling_wait(struct sampling *sampling, int fd, uint64_t deadline);

/* Of a process's tables, checked: "" or an empty frame for what is not there. */
const char *sampling_string(const struct sampling_process *process, uint32_t string);
struct samples_frame sampling_frame(const struct sampling_process *process, uint32_t frame);
struct samples_node sampling_node(const struct sampling_process *process, uint32_t node);
struct samples_thread sampling_thread(const struct sampling_process *process, uint32_t thread);

/* The names and values at a sample's `locals`, up to the end of what has been written of them: *length bytes,
   of which the last is a '\0'. NULL: there are none. */
const char *sampling_locals(const struct sampling_process *process, const struct sample *sample,
                            size_t *length);

#endif
