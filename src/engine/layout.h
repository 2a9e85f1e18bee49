/*
 * layout.h: where the scalar variables of a program lie: an integer in 8 bytes, a string as a struct text of
 * strsize bytes, at last those that are used by address, which the program may write anywhere into.
 */
#ifndef ENGINE_LAYOUT_H
#define ENGINE_LAYOUT_H

#include "program/program.h"

struct layout {
    uint64_t size;    /* bytes of all */
    uint64_t objects; /* where those used by address begin */
};

/* Lays out the scalars of a scope; `offsets`, unless NULL, gets that of each variable of the program that is
 * one. */
struct layout layout_scalars(const struct program_header *program, enum variable_scope scope,
                             uint64_t *offsets);

/* Does the program have global associative arrays? */
bool layout_has_dynamic(const struct program_header *program);

#endif
