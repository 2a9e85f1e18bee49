/*
 * dead_stores.h: clauses that set integers of self-> to constants and do nothing else, such as
 *
 *      function-entry { self->step = 1; }
 *      function-*     /self->step && copyinstr(arg1) == "leaf"/ { trace(self->step); }
 *
 * where whoever reads such a variable runs behind a clause that has set it at the same firing: nobody ever
 * reads what an earlier firing left there. Where no other clause runs for a code object, these need not
 * either.
 */
#ifndef ENGINE_DEAD_STORES_H
#define ENGINE_DEAD_STORES_H

#include "internal.h"

/* Finds them, while opening, once each probe has its candidates. */
void dead_stores_find(struct engine *engine);

/* Does the clause nothing that another one needs, unless one runs behind it? */
static inline bool is_dead_store(const struct engine *engine, uint32_t clause) {
    uint64_t stored = engine->clause_infos[clause].only_stores;
    return stored && !(stored & engine->read_later);
}

#endif
