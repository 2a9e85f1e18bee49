/*
 * assemble.h: a program (program.h) while it grows, section by section, and its final form.
 */
#ifndef DLANG_ASSEMBLE_H
#define DLANG_ASSEMBLE_H

#include "memory.h"
#include "program/program.h"

#include <stddef.h>
#include <stdint.h>

struct assembly;

/* Empty but for the string "". It lives in `memory`. */
struct assembly *assembly_new(struct memory *memory);

/* Appends an entry of the section's type. Returns its index. */
uint32_t assembly_add(struct assembly *assembly, enum program_section_id section, const void *entry);

/* An entry that has been added; valid until the next is added. */
void *assembly_entry(struct assembly *assembly, enum program_section_id section, uint32_t index);
uint32_t assembly_count(const struct assembly *assembly, enum program_section_id section);

/* The offset of a string, up to its first '\0'; the same for the same text. */
uint32_t assembly_string(struct assembly *assembly, const char *text);

/* The index of an integer; the same for the same value. */
uint32_t assembly_integer(struct assembly *assembly, int64_t value);

/* The whole; malloc. NULL: no memory, or more than PROGRAM_SIZE_MAX. */
struct program_header *assembly_finish(const struct assembly *assembly, const int64_t options[OPTION_COUNT],
                                       uint32_t flags);

#endif
