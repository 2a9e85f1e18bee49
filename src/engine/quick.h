/*
 * quick.h: the form in which the code of a plan runs at a probe. Integers and the aggregations, arrays and
 * records of everyday clauses have instructions of their own, with operands wherever they lie in the thread's
 * state: registers, scalar variables, a zero. What else there is runs by vm_run, in between.
 */
#ifndef ENGINE_QUICK_H
#define ENGINE_QUICK_H

#include "plan.h"

/* Operands are bytes from the start of the thread's state. */
struct quick_instruction {
    const void *target; /* its handler in quick_run */
    uint32_t dst, a, b;
    int32_t immediate;
};

/* Makes the quick code of a plan, of whose other fields only pool, sites and count are looked at, from its
   code. False: there is no memory. Under the engine's lock. */
bool quick_make(struct engine *engine, struct plan *plan, const struct program_instruction *code,
                uint64_t flags);

/* What runs a list for firings that are not looked at more closely: run_apart, or where all its clauses are
   plain something quicker. */
ready_runner *quick_runner(const struct ready_list *list);

/* Runs clauses that have plans, at least one, one after the other, and commits their records, as long as the
   arena's activity is this: those behind one that has called exit() do not run. A fault is told to
   clause_failed. */
void quick_run(struct engine_thread *thread, const struct ready *first, const struct ready *end,
               enum arena_activity activity);

#endif
