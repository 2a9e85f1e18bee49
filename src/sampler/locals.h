/*
 * locals.h: the variables of a stack's frames, as text, read from objects that may change meanwhile. One
 * thread, the sampler's.
 */
#ifndef SAMPLER_LOCALS_H
#define SAMPLER_LOCALS_H

#include "copy.h"
#include "stacks.h"

#include <stddef.h>

/* Writes them as samples.h says; frames for which there is no room left have none. Returns how many bytes it
   took of the `room`. */
size_t locals_write(struct copier *copier, const struct stack *stack, char *to, size_t room);

#endif
