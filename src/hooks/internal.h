/*
 * internal.h: what the sources of events ask of hooks.c. Private to this room.
 */
#ifndef CATPROBE_HOOKS_INTERNAL_H
#define CATPROBE_HOOKS_INTERNAL_H

#include "compat.h"

/* GIL. A hook sees the calling thread for the first time since threads were to be noticed. */
void thread_noticed(PyThreadState *tstate, compat_frame *frame, PyCodeObject *code);

/* GIL, keeps a live exception. Frame evaluation cannot go on in this process, as a stack is short: continue
   with sys.monitoring. False where that cannot be. */
bool functions_fail_over(void);

/* Any thread. What the calling thread allocates and frees from here to memory_unmute, which is given the
   result, is our own, and no event. */
bool memory_mute(void);
void memory_unmute(bool before);

/* Any thread. Is the event at hand that of resizing this block (or none, NULL)? Whoever owns it may not know
   yet where it now is. */
bool memory_moves(const void *block);

#endif
