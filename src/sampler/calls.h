/*
 * calls.h: where a code object calls something, and where on the value stack the callable is then. One
 * thread, the sampler's.
 */
#ifndef SAMPLER_CALLS_H
#define SAMPLER_CALLS_H

#include "codes.h"

/* The place on the value stack, from 0, of what the instruction at a byte offset calls; -1: it calls nothing,
   or the depth of the stack there is not known. *or_above: if NULL is there, the next place has it. The first
   time for a code object, its instructions are copied and followed. */
int calls_find(struct copier *copier, struct code *code, long instruction, bool *or_above);

#endif
