/*
 * event.h: one firing of a probe, as the engine takes it. Apart from engine.h, as the hooks describe their
 * events in this form from the start, so that nobody has to write them down anew on the way.
 */
#ifndef ENGINE_EVENT_H
#define ENGINE_EVENT_H

#include <stdint.h>

struct engine_code;
struct ready_list;

/* What an engine has found for an event, kept for the next time that it fires. */
struct engine_found {
    uint64_t serial; /* atomic: the engine's; 0: nothing yet */
    const struct ready_list *list;
    const struct engine_code *code;
};

struct engine_event {
    uint32_t probe;            /* index in host->probes */
    uint32_t code_id;          /* of the code object: small, unique among the living; 0: none */
    const char *file;          /* of the code object, for probemod (its base name); NULL: not known */
    const char *function;      /* for probefunc */
    const uint64_t *arguments; /* [10] */
    struct engine_found found; /* the engine's own; zeroed at first */
};

#endif
