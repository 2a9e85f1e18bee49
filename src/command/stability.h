/*
 * stability.h: what may be relied on of a probe, as dtrace -v tells it.
 */
#ifndef STABILITY_H
#define STABILITY_H

#include "program/program.h"

#include <stddef.h>

/* "Stability attributes for ...": the least that holds for these enablings of a program, and for its
 * statements. */
void stability_of_enablings(const struct program_header *program, size_t first, size_t count);

/* A probe of this provider and, indented below it, its arguments; "": some provider. */
void stability_of_probe(const char *provider, const char *name);

/* The same of each of these enablings, by its description: what is known when nothing has been enabled. */
void stability_of_descriptions(const struct program_header *program, size_t first, size_t count);

#endif
