/*
 * natives.h: the name of the C function that is called, of its object. One thread, the sampler's.
 */
#ifndef SAMPLER_NATIVES_H
#define SAMPLER_NATIVES_H

#include "copy.h"

/* "<time.sleep>", "<re.Pattern.match>", "<sorted>", "<list>", of the callable at an address; NULL: it is none
   in C, or it cannot be told which. Valid until the next call. */
const char *natives_name(struct copier *copier, uintptr_t callable);

#endif
