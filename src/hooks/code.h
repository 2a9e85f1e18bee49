/*
 * code.h: the record of a code object, cached with it in co_extra: its names as C strings, ready for a probe.
 *
 * A record is made when its code object first runs under a hook and freed with it. Whoever uses one across a
 * call into Python holds a reference to the code object.
 */
#ifndef CATPROBE_CODE_H
#define CATPROBE_CODE_H

#include "compat.h"
#include "hooks.h"

/* Lines of instructions, as PyCode_Addr2Line is linear in the instruction's place on 3.11 - 3.13. */
struct line_cache {
    unsigned mask;  /* of slots, whose number is a power of two, less one */
    unsigned count; /* of those in use */
    struct {
        int instruction; /* atomic: byte offset + 1, written last; 0: free */
        int line;
    } slots[];
};

/* Set in `wanted`, with all probes, of a record that the listener has not been asked about. */
#define CODE_UNDECIDED ((probe_set)1 << 31)

struct code_record {
    probe_set wanted;         /* atomic: probes that the listener wants here; see events.h */
    uint32_t id;              /* 1 and up, small; unique among the living, then used again */
    PyCodeObject *code;       /* borrowed, as the record goes with it */
    const char *file;         /* co_filename in UTF-8; NULL if it does not encode; shared among records */
    const char *func;         /* co_name, likewise */
    const char *qualname;     /* co_qualname, likewise; before 3.11 worked out, see code.c */
    int entry_line;           /* of its start: 0 for a module on 3.11+ */
    bool is_init;             /* called __init__ */
    bool watched;             /* monitoring.c: has events of its own; code of the main interpreter */
    bool monitored;           /* monitoring.c: may have been instrumented; likewise */
    struct line_cache *lines; /* lines of instructions asked for so far; owned */
    /* Of PROBES_OF_CODE, by probe, ready but for the line and the frame; for the call of the listener. */
    struct event events[PROBE_LINE + 1];
};

/* GIL. The co_extra index of the running interpreter, made when first asked for; -1 if it has none left. */
Py_ssize_t code_extra_index(PyInterpreterState *interp);

/* GIL. The record of a code object, or NULL if it has none yet. */
static inline struct code_record *code_record(PyCodeObject *code, Py_ssize_t extra_index) {
    return compat_get_code_extra(code, extra_index);
}

/* GIL. Make the record of a code object; NULL when memory or indices are short. `frame` is a fresh frame of
   it, or NULL: it helps to find the qualified name before 3.11. Keeps a live exception and errno. */
struct code_record *code_record_make(PyCodeObject *code, Py_ssize_t extra_index, compat_frame *frame);

/* GIL. A str in UTF-8, borrowed from it; NULL if it does not encode. Raises nothing. */
const char *code_utf8(PyObject *string);

/* GIL. From now on no record is decided. */
void code_undecide_all(void);

/* GIL of the main interpreter. The record with the lowest id above `id` that is watched, or monitored; NULL:
   none. */
struct code_record *code_next_watched(uint32_t id);
struct code_record *code_next_monitored(uint32_t id);

static inline unsigned line_cache_first(const struct line_cache *cache, int instruction) {
    return ((unsigned)instruction * 2654435761u >> 8) & cache->mask;
}

/* GIL. The line of the instruction at a byte offset; each is worked out once. */
int code_line(struct code_record *record, PyCodeObject *code, int instruction);

/* GIL. The same, if it is where it is looked for first. False: ask code_line_or_entry. */
static inline bool code_line_is_at_hand(const struct code_record *record, int instruction, int *line) {
    const struct line_cache *cache = record->lines;
    if (!cache || instruction < 0)
        return false;
    unsigned slot = line_cache_first(cache, instruction);
    bool found = __atomic_load_n(&cache->slots[slot].instruction, __ATOMIC_ACQUIRE) == instruction + 1;
    *line = cache->slots[slot].line;
    return found;
}

/* GIL. The same for a negative offset, which stands for the code object's start. */
static inline int code_line_or_entry(struct code_record *record, PyCodeObject *code, int instruction) {
    return instruction < 0 ? record->entry_line : code_line(record, code, instruction);
}

#endif
