/*
 * natives.h: the name of the C function that is called, of its object. One thread, the sampler's.
 */
#ifndef SAMPLER_NATIVES_H
#define SAMPLER_NATIVES_H

#include "hooks/compat.h"

#include "copy.h"

/* The head of any callable made in C: enough to say which, and to see that it is another now. */
struct natives_head {
    PyObject object;
    uintptr_t words[4];
};

/* "<time.sleep>", "<re.Pattern.match>", "<sorted>", "<list>", of the callable at an address; NULL: it is none
   in C, or it cannot be told which. `head`: a copy of its head, or NULL. Valid until the next call. */
const char *natives_name(struct copier *copier, uintptr_t callable, const void *head);

#endif
