/*
 * layout.h: a type as print() needs it: its name and, of a struct, a union or an array, where its parts are.
 */
#ifndef DLANG_LAYOUT_H
#define DLANG_LAYOUT_H

#include "memory.h"
#include "types.h"

/* The text that the consumer's print.h describes; lives in `memory`. */
const char *layout_print(struct memory *memory, const struct type *type);

#endif
