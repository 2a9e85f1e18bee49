/*
 * psinfo.h: what DTrace's libraries tell of the process and of the thread that fired: psinfo_t, lwpsinfo_t,
 * and the members of curpsinfo, curlwpsinfo, curthread and curcpu that a process knows of itself.
 */
#ifndef DLANG_PSINFO_H
#define DLANG_PSINFO_H

#include "types.h"

#include <stdbool.h>

/* Adds psinfo_t, lwpsinfo_t and what they are made of. */
void psinfo_define(struct types *types);

/* The type that the variable is translated to: "psinfo_t"; NULL: none, it is the kernel's own. */
const char *psinfo_translation(const char *variable);

/* The name in D that has the value of variable->member, or a number in decimal digits. NULL: no process knows
   it of itself. */
const char *psinfo_value(const char *variable, const char *member);

/* The D type of the member: "char"; NULL: it has none here, or is no number. */
const char *psinfo_number_type(const char *variable, const char *member);

/* Has DTrace a translation of this member of psinfo_t or lwpsinfo_t, whether or not it can be had here? */
bool psinfo_translates(const char *variable, const char *member);

#endif
