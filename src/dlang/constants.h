/*
 * constants.h: the numbers that a D program can name without having defined them: NULL, SIGINT, ENOENT.
 */
#ifndef DLANG_CONSTANTS_H
#define DLANG_CONSTANTS_H

#include "identifiers.h"
#include "memory.h"
#include "types.h"

#include <stdbool.h>
#include <stdint.h>

/* How many registers uregs[] has, on x86-64. */
enum { REGISTERS = 26 };

/* Adds them as inlines of D's own. */
void constants_define(struct identifiers *identifiers, struct types *types, struct memory *memory);

/* The value of one of them, for what is computed before names are looked up. False: there is none. */
bool constant_named(const char *name, int64_t *value);

#endif
