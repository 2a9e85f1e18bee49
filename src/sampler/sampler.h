/*
 * sampler.h: a thread that samples the stacks of this process's threads, for viewers, each with its own rate
 * and memory (samples.h), and for the clocks of D sessions. It exists only while there is one of them. It
 * waits for nobody, stops nobody, takes no GIL and no lock. One thread at a time calls these, the agent's, or
 * another while there is none.
 */
#ifndef SAMPLER_SAMPLER_H
#define SAMPLER_SAMPLER_H

#include "samples.h"

#include <stdbool.h>
#include <stddef.h>

enum { SAMPLER_VIEWERS_MAX = 8 };

struct sampler_request {
    uint32_t pid;    /* of this process, as the viewer knows it */
    uint64_t period; /* ns, SAMPLER_PERIOD_MIN and up */
    uint64_t ticks;  /* 0: no end */
    uint32_t flags;  /* of enum samples_flag */
};
#define SAMPLER_PERIOD_MIN 10000

/* Starts to sample for a viewer into a memory file, which stays the caller's. Returns its place, or -1 and a
   line in `problem`. `own_descriptors`: those of the calling thread are not the program's. */
int sampler_add(int fd, const struct sampler_request *request, bool own_descriptors, char *problem, size_t n);
void sampler_remove(int place);

/* The clocks profile-N of a D session. At each tick `fire` is called on the sampler's thread for each thread
   that is on a processor, or wants to be. */
enum { SAMPLER_CLOCKS_MAX = 16, SAMPLER_SESSIONS_MAX = 8 };

struct sampler_clocks {
    uint32_t count;                       /* 0: none */
    uint64_t periods[SAMPLER_CLOCKS_MAX]; /* ns */
    bool idle;                            /* for threads that wait too */
    /* `tid`: the kernel's; 0: not known */
    void (*fire)(int session, uint32_t clock, uint32_t tid);
};

/* Starts the clocks of a session, 0 to SAMPLER_SESSIONS_MAX - 1, which has none. False: a line in `problem`.
   Once sampler_remove_clocks() is back, fire() is called no more for the session. */
bool sampler_add_clocks(int session, const struct sampler_clocks *clocks, bool own_descriptors, char *problem,
                        size_t n);
void sampler_remove_clocks(int session);

/* Within fire(): the stack of the thread that it is called for, as struct engine_host has it; none if it was
   torn. */
size_t sampler_stack(char *text, size_t n, uint32_t frames);
uint32_t sampler_stackdepth(void);

/* Ends the thread, for a fork(), and has it again. The viewers miss ticks. */
void sampler_pause(void);
void sampler_resume(bool own_descriptors);

/* In a child that fork() has just made: forget all. Async-signal-safe. */
void sampler_after_fork_in_child(void);

#endif
