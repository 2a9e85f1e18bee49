/*
 * tasks.h: the asyncio tasks of the process that are pending and do not run at the moment, and their await
 * chains, found by copies. Before 3.11 none are found. One thread, the sampler's.
 */
#ifndef SAMPLER_TASKS_H
#define SAMPLER_TASKS_H

#include "copy.h"
#include "stacks.h"
#include "threads.h"

enum {
    TASKS_MAX = 10000,    /* of a process; what is beyond is not found */
    TASK_NAME_SIZE = 256, /* bytes; a longer name is cut */
};
#define TASK_NO_THREAD UINT32_MAX

struct task {
    uintptr_t address;
    uint32_t thread; /* index in what tasks_find was given: its event loop's; TASK_NO_THREAD: not known */
    uint32_t interpreter;
    char name[TASK_NAME_SIZE]; /* UTF-8 */
};

/* Finds all that there are now, of the interpreters of these threads. Returns how many, until tasks_release,
   which gives back the memory that it takes. */
size_t tasks_find(struct copier *copier, struct thread *const *threads, size_t count);

/* One that was found, and its await chain as a stack. `check` numbers the tick. False: it runs, is done, has
   gone, or changed while it was copied, each time. */
bool tasks_take(struct copier *copier, size_t index, uint64_t check, struct task *task, struct stack *stack);
void tasks_release(void);

#endif
