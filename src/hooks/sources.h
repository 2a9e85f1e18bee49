/*
 * sources.h: the small sources of events: garbage collector, imports, audit, memory. Each is installed or
 * removed by one call.
 *
 * All calls need the GIL of the main interpreter and drop what they raise. They return whether the hook is
 * there.
 */
#ifndef CATPROBE_SOURCES_H
#define CATPROBE_SOURCES_H

#include <stdbool.h>

/* Once, when catprobe is imported, so that nothing has to be imported, and traced, when hooks are installed.
   0, or -1 with an exception. */
int gc_hook_initialise(void);
int import_hook_initialise(void);

bool gc_hook_set(bool wanted);
bool import_hook_set(bool wanted);

/* CPython cannot remove an audit hook: it stays once it was wanted, as one test of a flag. */
bool audit_hook_set(bool wanted);

/* Around the allocators of all domains. When another tool has put its own above ours, ours stay in its chain,
   doing nothing, until the next call that finds them on top: then memory_hook_lingers, which needs no GIL. */
bool memory_hook_set(bool wanted);
bool memory_hook_lingers(void);

#endif
