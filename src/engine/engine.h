/*
 * engine.h: running a D program at the probes of one process. The agent has one engine for each session, the
 * consumer has one for BEGIN, END, tick and profile (which the agent's sampler fires too). Plain C, no malloc
 * from a thread of the agent: memory comes from mmap and goes back as a whole.
 *
 * Threads: engine_fire may run on many threads at once, each with its own engine_thread. Opening and closing
 * is for one thread; before engine_close the caller sees to it that no thread is in engine_fire any more.
 */
#ifndef ENGINE_ENGINE_H
#define ENGINE_ENGINE_H

#include "arena.h"
#include "event.h"
#include "program/program.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct engine;
struct engine_thread;

/* A probe of this process, as the engine is told of it; borrowed for the engine's life. */
struct engine_probe {
    uint32_t id;          /* as -l lists it */
    const char *provider; /* "dtrace", "profile"; NULL: the host's */
    const char *name;     /* "function-entry" */
    uint16_t
        strings; /* bit i: argument i is the address of a string that is valid during the event, or NULL */
    uint16_t by_code; /* bit i: argument i is the same at each firing for one code object */
    bool has_code;    /* fires for a code object */
};

/* Of the process. All callbacks run within engine_fire, on its thread. */
struct engine_host {
    const char *provider;              /* "python24601"; "dtrace" for the consumer; copied */
    uint32_t pid;                      /* as the consumer knows this process: D's `pid` */
    const struct engine_probe *probes; /* borrowed */
    uint32_t probe_count;
    /* Writes the Python stack of the thread of the event, innermost frame first, as program.h's FIELD_STACK
       says,
       '\0' at the end; returns its length, cut at n - 1; 0: none. NULL callback: no stacks here. */
    size_t (*stack)(char *text, size_t n, uint32_t frames);
    uint32_t (*stackdepth)(void);
    void *context;
};

/* Prepares a checked copy of the program, its verdicts, a first reading of the arena. `program` is copied
   after program_check. NULL: a line in `problem`. */
struct engine *engine_open(const void *program, size_t size, struct arena *arena,
                           const struct engine_host *host, char *problem, size_t n);
void engine_close(struct engine *engine);

/* Probes (bit = index in host->probes, of the first 64) that at least one enabling can match. */
uint64_t engine_wants(const struct engine *engine);

/* Bits of those probes whose clauses all look at the code object (by description or predicate), so that
   asking engine_wants_code for each function pays: one that it denies need never fire again. */
uint64_t engine_selective(const struct engine *engine);

/* Does some clause want to run at this probe for this code object? Decides it when it was not decided yet;
   true when that cannot be done just now. Any thread. */
bool engine_wants_code(struct engine *engine, const struct engine_event *event);

/* The code object is gone: its id may come again for another. Callers: one at a time, and not while an event
   of this code runs. */
void engine_forget_code(struct engine *engine, uint32_t code_id);

/* A thread's state: takes a slot of the arena, one that a former thread left if there is one. NULL when there
   is none left: the caller counts its events by engine_drop. Any thread. */
struct engine_thread *engine_thread_enter(struct engine *engine, uint32_t tid);
void engine_thread_leave(struct engine_thread *thread);

/* What it fires from now on is of another thread: D's `tid`, and that of the records. For the sampler's. */
void engine_thread_act_for(struct engine_thread *thread, uint32_t tid);

/* Runs the clauses that match. The event may be fired again with other arguments, on any thread and by any
   engine; all its rest stays. Never fails, blocks or calls back into anything but the host; errno is kept.
 */
void engine_fire(struct engine_thread *thread, struct engine_event *event);

/* Firings so far of all threads of this engine, for maxrate; and nanoseconds spent in them, sampled, for
 * maxcpu. */
uint64_t engine_firings(const struct engine *engine);
uint64_t engine_spent(const struct engine *engine);

void engine_drop(struct engine *engine, enum drop cause);

/* What an error message ends with: DTrace's words for a fault. */
const char *engine_fault_name(enum fault fault);

#endif
