/*
 * native.h: the interpreter's own probes, where it was built --with-dtrace and they work.
 *
 * A tracer that attaches to the provider `python` of a process attaches to the interpreter's site and to
 * ours. Ours then stays silent, so that nothing is heard twice.
 */
#ifndef CATPROBE_NATIVE_H
#define CATPROBE_NATIVE_H

#include "hooks/hooks.h"

/* Main thread, once: find the semaphores of the interpreter's own probes in its ELF notes. */
void native_initialise(void);

/* Any thread. The probes that the interpreter itself is firing now. */
probe_set native_enabled(void);

#endif
