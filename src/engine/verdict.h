/*
 * verdict.h: which clauses run at a probe: for no code object by the probe's name, for a code object by its
 * names and by what predicates say of it alone, once for each; and the engine's own memory, where that is
 * kept.
 */
#ifndef ENGINE_VERDICT_H
#define ENGINE_VERDICT_H

#include "internal.h"

/* Memory of the engine's own, zeroed, until verdict_close; while opening, or under the lock. NULL: none left.
 */
void *engine_memory(struct engine *engine, uint64_t size);

/* A text there, cut to `most` bytes. */
const struct text *engine_text(struct engine *engine, const char *bytes, size_t length, uint32_t most);

/* The processor that runs us. */
unsigned engine_cpu(void);

/* Makes the probes' tables; false: no memory. */
bool verdict_open(struct engine *engine);
/* Frees the engine's own memory. */
void verdict_close(struct engine *engine);

enum { CODE_PAGE = 4096, CODE_PAGES = 4096 };

/* What is known of a code object; NULL: nothing yet. */
static inline struct engine_code *verdict_code(const struct engine *engine, uint32_t id) {
    if (id >= CODE_PAGE * CODE_PAGES)
        return NULL;
    struct engine_code **page = __atomic_load_n(&engine->codes[id / CODE_PAGE], __ATOMIC_ACQUIRE);
    return page ? __atomic_load_n(&page[id % CODE_PAGE], __ATOMIC_ACQUIRE) : NULL;
}

/* Decides what runs at the event's probe for its code object. NULL: that cannot be done just now, see
   verdict_candidates. *code becomes what is known of the code object. */
const struct ready_list *verdict_decide(struct engine *engine, const struct engine_event *event,
                                        const struct engine_code **code);

/* The clauses whose descriptions match this event, whole; `ready` has room for all enablings. Returns how
 * many. */
uint32_t verdict_candidates(const struct engine *engine, const struct probe_info *probe,
                            const struct engine_event *event, struct ready *ready);

/* The last instruction that can be reached, once number i has been run: `last` was it before. */
static inline uint32_t verdict_farthest(const struct program_instruction *at, uint32_t i, uint32_t last) {
    uint32_t next = i + 1;
    switch (at->op) {
    case OP_END:
    case OP_SKIP:
    case OP_FAIL:
        return last;
    case OP_JUMP:
    case OP_JUMP_IF:
    case OP_JUMP_UNLESS:
        next += (uint32_t)at->immediate;
    }
    return last < next ? next : last;
}

/* Does the description name neither a module nor a function? */
bool verdict_is_for_all(const struct engine *engine, const struct program_enabling *enabling);

/* probefunc and probemod of an event. */
struct value verdict_function(const struct engine_code *code, const struct engine_event *event);
struct value verdict_module(const struct engine_code *code, const struct engine_event *event);

/* engine.c */
struct engine_thread *thread_make(struct engine *engine, uint32_t slot);

#endif
