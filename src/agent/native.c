/*
 * native.c: finds the interpreter's own probes by the notes of the program itself or its libpython.
 */
#include "hooks/compat.h"

#include "native.h"

#if COMPAT_NATIVE_PROBES && defined __linux__ && defined __LP64__

#    include "notes.h"

#    include <link.h>
#    include <string.h>

static volatile const unsigned short
    *semaphores[PROBE_COUNT]; /* NULL: the interpreter has no such probe, or a dead one */

static const struct {
    unsigned group; /* COMPAT_NATIVE_* */
    enum probe probe;
} groups[] = {
    {COMPAT_NATIVE_ENTRY, PROBE_FUNCTION_ENTRY},
    {COMPAT_NATIVE_RETURN, PROBE_FUNCTION_RETURN},
    {COMPAT_NATIVE_LINE, PROBE_LINE},
    {COMPAT_NATIVE_GC, PROBE_GC_START},
    {COMPAT_NATIVE_GC, PROBE_GC_DONE},
    {COMPAT_NATIVE_IMPORT, PROBE_IMPORT_FIND_LOAD_START},
    {COMPAT_NATIVE_IMPORT, PROBE_IMPORT_FIND_LOAD_DONE},
    {COMPAT_NATIVE_AUDIT, PROBE_AUDIT},
};

static int object_look(struct dl_phdr_info *info, size_t size, void *data) {
    enum { NOTES_MAX = 64 };
    struct usdt_note notes[NOTES_MAX];
    (void)size, (void)data;
    bool is_program = !info->dlpi_name || !*info->dlpi_name;
    if (!is_program && !strstr(info->dlpi_name, "libpython"))
        return 0;
    size_t count = usdt_notes(is_program ? "/proc/self/exe" : info->dlpi_name, "python", notes, NOTES_MAX);
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < sizeof groups / sizeof groups[0]; j++) {
            enum probe probe = groups[j].probe;
            if ((COMPAT_NATIVE_PROBES & groups[j].group) && notes[i].semaphore &&
                strcmp(notes[i].name, probe_table[probe].name) == 0)
                semaphores[probe] = (const unsigned short *)(uintptr_t)(notes[i].semaphore + info->dlpi_addr);
        }
    }
    return 0;
}

void native_initialise(void) {
    dl_iterate_phdr(object_look, NULL);
}

probe_set native_enabled(void) {
    probe_set enabled = 0;
    for (unsigned i = 0; i < PROBE_COUNT; i++)
        if (semaphores[i] && *semaphores[i])
            enabled |= PROBE_BIT(i);
    return enabled;
}

#else

void native_initialise(void) {}
probe_set native_enabled(void) {
    return 0;
}

#endif
