/*
 * names.h: the names that the module threading has for threads. Only a thread of the program can ask for
 * them, so they come some time after a thread is first seen, when Python next runs.
 */
#ifndef SAMPLER_NAMES_H
#define SAMPLER_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The sampler has met a thread whose name it does not know; is that so? */
void names_want(void);
bool names_wanted(void);

/* GIL of the main interpreter. Collects the names of all threads. No exception is left. */
void names_collect(void);

/* How often they were collected; the name of a thread as of then. False: not known, or just being collected.
 */
uint32_t names_version(void);
bool names_find(uint64_t ident, char *name, size_t size);

#endif
