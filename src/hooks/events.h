/*
 * events.h: from a hook to the USDT site and to the listener. One function for each probe; private to this
 * room.
 */
#ifndef CATPROBE_EVENTS_H
#define CATPROBE_EVENTS_H

#include "code.h"
#include "hooks.h"
#include "sites.h"

/* Read at each event, written by hooks.c. */
struct events {
    probe_set usdt;                  /* probes whose USDT site is to be passed */
    probe_set listened;              /* atomic: probes of `listener`; 0 without one */
    const struct listener *listener; /* borrowed; valid while `listened` is not 0 */
    unsigned verdicts;               /* atomic: grows when those of the listener become void */
};
extern struct events events;

static inline bool event_wanted(enum probe probe) {
    return ((events.usdt | events.listened) & PROBE_BIT(probe)) != 0;
}

/* Ask the listener what it wants of a code object, and keep the answer with the record. GIL. */
probe_set event_decide(struct code_record *code);

/* Does the listener want one of these PROBES_OF_CODE of a code object? GIL. */
static inline bool event_wanted_of(struct code_record *code, probe_set probes) {
    probe_set wanted = __atomic_load_n(&code->wanted, __ATOMIC_RELAXED);
    if (__builtin_expect((wanted & CODE_UNDECIDED) != 0, 0))
        wanted = event_decide(code);
    return (wanted & probes) != 0;
}

/* Can a call of the function be passed over? The verdict alone says so: one load and a test for those that
   are wanted; one that is not made yet says no. */
static inline bool event_function_is_idle(const struct code_record *code) {
    const probe_set both = PROBE_BIT(PROBE_FUNCTION_ENTRY) | PROBE_BIT(PROBE_FUNCTION_RETURN);
    return !(__atomic_load_n(&code->wanted, __ATOMIC_RELAXED) & both) && !(events.usdt & both);
}

/* Tell the listener that the code object with this id is gone. */
void event_forget(uint32_t id);

/* Count events of a probe that could not be seen. */
void event_drop(enum probe probe);

/* Of an event of a function: is its frame the one that the thread runs, as CPython sees it? */
enum event_frame {
    EVENT_FRAME_RUNS,
    EVENT_FRAME_ABSENT, /* it is not there yet, or has gone */
    EVENT_FRAME_NONE,   /* of another event: the thread has no GIL, and so no stack to look at */
};

/* Pass an event to the listener. */
void event_tell(enum probe probe, const struct code_record *code, enum event_frame frame, uintptr_t a,
                uintptr_t b, uintptr_t c, uintptr_t d);

static inline void event_pass(enum probe probe, struct event *event) {
    const struct listener *listener = events.listener;
    if (__builtin_expect(listener != NULL, 1))
        listener->fire(listener->context, probe, event);
}

/* The same as event_tell for PROBES_OF_CODE, inline, as they come by the million. The GIL sees to it that the
   record's own event is for one thread at a time. */
static inline __attribute__((always_inline)) void event_tell_of(enum probe probe, struct code_record *code,
                                                                int line, enum event_frame frame) {
    struct event *event = &code->events[probe];
#if COMPAT_FREE_THREADED
    struct event own = *event;
    own.fired.arguments = own.arguments;
    own.fired.found.serial = 0;
    event = &own;
#endif
    event->arguments[2] = (uint64_t)(int64_t)line;
    event->frame_absent = frame == EVENT_FRAME_ABSENT;
    event_pass(probe, event);
}

#define EVENT_FIRE_ON(PROBE, site_call, code, frame, a, b, c, d)                                             \
    do {                                                                                                     \
        if (events.usdt & PROBE_BIT(PROBE))                                                                  \
            site_call;                                                                                       \
        if (events.listened & PROBE_BIT(PROBE))                                                              \
            event_tell(PROBE, code, frame, (uintptr_t)(a), (uintptr_t)(b), (uintptr_t)(c), (uintptr_t)(d));  \
    } while (0)

#define EVENT_FIRE(PROBE, site_call, code, a, b, c, d)                                                       \
    EVENT_FIRE_ON(PROBE, site_call, code, EVENT_FRAME_RUNS, a, b, c, d)

/* One of PROBES_OF_CODE, for a tracer of the system and for the listener, which may have to be asked first.
 */
void event_fire_to_all(enum probe probe, struct code_record *code, int line, enum event_frame frame);

/* The same, quickly where it is for the one or the other alone: `told` passes it to the listener. Then
   nothing is done after the call. */
#define EVENT_FIRE_OF(PROBE, site_call, told, code, line, frame)                                             \
    do {                                                                                                     \
        bool listened = (events.listened & PROBE_BIT(PROBE)) != 0;                                           \
        probe_set verdict = __atomic_load_n(&(code)->wanted, __ATOMIC_RELAXED);                              \
        if (listened && ((verdict & CODE_UNDECIDED) || (events.usdt & PROBE_BIT(PROBE))))                    \
            event_fire_to_all(PROBE, code, line, frame);                                                     \
        else if (listened && (verdict & PROBE_BIT(PROBE)))                                                   \
            told;                                                                                            \
        else if (events.usdt & PROBE_BIT(PROBE))                                                             \
            site_call;                                                                                       \
    } while (0)

static inline void event_function_entry(struct code_record *code, int line, enum event_frame frame) {
    EVENT_FIRE_OF(PROBE_FUNCTION_ENTRY, python_function_entry(code->file, code->func, line, code->qualname),
                  event_tell_of(PROBE_FUNCTION_ENTRY, code, line, frame), code, line, frame);
}

static inline void event_function_return(struct code_record *code, int line, enum event_frame frame) {
    EVENT_FIRE_OF(PROBE_FUNCTION_RETURN, python_function_return(code->file, code->func, line, code->qualname),
                  event_tell_of(PROBE_FUNCTION_RETURN, code, line, frame), code, line, frame);
}

static inline void event_line(struct code_record *code, int line) {
    EVENT_FIRE_OF(PROBE_LINE, python_line(code->file, code->func, line),
                  event_tell_of(PROBE_LINE, code, line, EVENT_FRAME_RUNS), code, line, EVENT_FRAME_RUNS);
}

static inline void event_gc_start(int generation) {
    EVENT_FIRE(PROBE_GC_START, python_gc_start(generation), NULL, generation, 0, 0, 0);
}

static inline void event_gc_done(long collected) {
    EVENT_FIRE(PROBE_GC_DONE, python_gc_done(collected), NULL, collected, 0, 0, 0);
}

static inline void event_import_find_load_start(const char *module) {
    EVENT_FIRE(PROBE_IMPORT_FIND_LOAD_START, python_import_find_load_start(module), NULL, module, 0, 0, 0);
}

static inline void event_import_find_load_done(const char *module, int found) {
    EVENT_FIRE(PROBE_IMPORT_FIND_LOAD_DONE, python_import_find_load_done(module, found), NULL, module, found,
               0, 0);
}

static inline void event_audit(const char *name, void *arguments) {
    EVENT_FIRE(PROBE_AUDIT, python_audit(name, arguments), NULL, name, arguments, 0, 0);
}

static inline void event_c_function_entry(const struct code_record *caller, const char *func, int line,
                                          const char *module) {
    EVENT_FIRE(PROBE_C_FUNCTION_ENTRY, python_c_function_entry(caller->file, func, line, module), caller,
               caller->file, func, line, module);
}

static inline void event_c_function_return(const struct code_record *caller, const char *func, int line,
                                           const char *module) {
    EVENT_FIRE(PROBE_C_FUNCTION_RETURN, python_c_function_return(caller->file, func, line, module), caller,
               caller->file, func, line, module);
}

static inline void event_exception_raise(const struct code_record *code, const char *type,
                                         const char *message, int line) {
    EVENT_FIRE(PROBE_EXCEPTION_RAISE, python_exception_raise(type, message, code->file, line), code, type,
               message, code->file, line);
}

static inline void event_thread_start(const char *name, unsigned long ident) {
    EVENT_FIRE(PROBE_THREAD_START, python_thread_start(name, ident), NULL, name, ident, 0, 0);
}

static inline void event_thread_exit(const char *name, unsigned long ident) {
    EVENT_FIRE_ON(PROBE_THREAD_EXIT, python_thread_exit(name, ident), NULL, EVENT_FRAME_NONE, name, ident, 0,
                  0);
}

static inline void event_mem_alloc(unsigned long size, const char *domain, void *address,
                                   enum event_frame frame) {
    EVENT_FIRE_ON(PROBE_MEM_ALLOC, python_mem_alloc(size, domain, address), NULL, frame, size, domain,
                  address, 0);
}

static inline void event_mem_free(const char *domain, void *address, enum event_frame frame) {
    EVENT_FIRE_ON(PROBE_MEM_FREE, python_mem_free(0, domain, address), NULL, frame, 0, domain, address, 0);
}

#endif
