/*
 * frames.h: function-entry and function-return by frame evaluation (PEP 523). All calls need the GIL unless
 * they say otherwise.
 */
#ifndef CATPROBE_FRAMES_H
#define CATPROBE_FRAMES_H

#include "compat.h"

/* Can the evaluator slot of the main interpreter be ours, or is it? False when somebody else has it. */
bool frames_slot_free(void);

/* Put our evaluator into the slot of each interpreter where it is free, or of each but the main one. May be
   called again, to find new interpreters. */
enum frames_scope { FRAMES_EVERYWHERE, FRAMES_BUT_MAIN };
void frames_arm(enum frames_scope scope);

/* Any thread, no GIL: from now on the evaluator passes calls through, and takes itself out of the slot at the
 * next. */
void frames_silence(void);

/* Take our evaluator out of every slot. */
void frames_disarm(void);

/* Let every thread pass by thread_noticed (hooks.c) once more. */
void frames_notice_threads(void);

/* See hooks_at_next_frame. */
void frames_call_once(void (*function)(void));

#endif
