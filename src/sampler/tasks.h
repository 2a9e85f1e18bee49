/*
 * tasks.h: the asyncio tasks of the process that are pending and do not run at the moment, and their await
 * chains, through the tasks that they await, found by copies. Before 3.8 none are found. One thread, the
 * sampler's.
 */
#ifndef SAMPLER_TASKS_H
#define SAMPLER_TASKS_H

#include "copy.h"
#include "stacks.h"
#include "threads.h"

enum {
    TASKS_MAX = 10000,    /* of a process; what is beyond is not found */
    TASK_NAME_SIZE = 256, /* bytes; a longer name is cut */
    TASK_NOTE_SIZE = TASK_NAME_SIZE + 16,
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

enum task_taken {
    TASK_TAKEN,
    TASK_CHANGES, /* it runs, or changed while it was copied, each time */
    TASK_GONE,    /* it is done, or freed */
};

/* One that was found, and its await chain as a stack. A frame without a code object stands between the chain
   of a task and that of the one that it awaits: see tasks_note. `check` numbers the tick. */
enum task_taken tasks_take(struct copier *copier, size_t index, uint64_t check, struct task *task,
                           struct stack *stack);

/* What is to be said in the place of a frame without a code object, of the stack that was taken last. */
void tasks_note(struct copier *copier, const struct stack_frame *frame, char note[TASK_NOTE_SIZE]);
void tasks_release(void);

#endif
