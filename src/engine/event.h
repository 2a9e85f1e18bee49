/*
 * event.h: one firing of a probe, as the engine takes it. Apart from engine.h, as the hooks describe their
 * events in this form from the start, so that nobody has to write them down anew on the way.
 */
#ifndef ENGINE_EVENT_H
#define ENGINE_EVENT_H

#include <stdint.h>

struct engine_event {
    uint32_t probe;            /* index in host->probes */
    uint32_t code_id;          /* of the code object: small, unique among the living; 0: none */
    const char *file;          /* of the code object, for probemod (its base name); NULL: not known */
    const char *function;      /* for probefunc */
    const uint64_t *arguments; /* [10] */
};

#endif
