/*
 * snapshot.h: the stacks of `catprobe dump`: what each thread does at the moment, equal stacks together, as
 * text or as JSON.
 */
#ifndef VIEWER_SNAPSHOT_H
#define VIEWER_SNAPSHOT_H

#include "command/sampling.h"
#include "consumer/text.h"

#include <stdbool.h>

struct snapshot;

struct snapshot *snapshot_new(void);
void snapshot_free(struct snapshot *snapshot);

/* A thread, or a task. */
void snapshot_take(struct snapshot *snapshot, const struct sampling_process *process,
                   const struct sample *sample);

/* Whether a process has any. */
bool snapshot_has(const struct snapshot *snapshot, const struct sampling_process *process);

/* Appends what the processes are, and all their stacks; those that several threads have once, and tasks below
   the threads whose event loops have them. */
void snapshot_print(struct text *out, const struct snapshot *snapshot,
                    struct sampling_process *const *processes, size_t count, bool utf8);

/* Appends them as an array of threads, in the words of py-spy's dump. A task has "loop_thread_id" too, the
   "thread_id" of that thread, or null. */
void snapshot_json(struct text *out, const struct snapshot *snapshot);

#endif
