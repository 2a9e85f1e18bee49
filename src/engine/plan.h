/*
 * plan.h: a clause's code prepared for running: what is the same at each firing for one code object is worked
 * out once for each (copyinstr(arg0), basename() of it, the keys of aggregations), what is left is fewer and
 * quicker instructions.
 */
#ifndef ENGINE_PLAN_H
#define ENGINE_PLAN_H

#include "internal.h"

struct quick_instruction;

/* OPCODE(name, operands, immediate), as in tables.h. V: a variable, M: where the variable lies in its scope,
   which is in the operand that is no register; P: a value of the pool; S: a site of the plan; T: an
   instruction of the program; N: a number. */
#define PLAN_OPCODES(OPCODE)                                                                                 \
    OPCODE(TEXT, "W--", 'T')         /* dst = the string of that SET_STRING */                               \
    OPCODE(POOL, "W--", 'P')         /* dst = the value */                                                   \
    OPCODE(LOAD_CELL, "W--", 'M')    /* dst = the integer variable; a: enum variable_scope */                \
    OPCODE(STORE_CELL, "-I-", 'M')   /* the integer variable = a; b: enum variable_scope */                  \
    OPCODE(TIME, "W--", '-')         /* dst = timestamp */                                                   \
    OPCODE(ARGUMENT, "W--", 'N')     /* dst = arg0 and so on */                                              \
    OPCODE(LOAD_NUMBER, "WI-", 'V')  /* dst = self->variable[a] */                                           \
    OPCODE(STORE_NUMBER, "II-", 'V') /* self->variable[a] = dst */                                           \
    OPCODE(KNOWN, "I--", 'S')        /* the aggregation of the site takes dst */                             \
    OPCODE(KNOWN_COUNT, "---", 'S')  /* the same of count() */                                               \
    OPCODE(KNOWN_SUM, "I--", 'S')

enum plan_opcode {
    OP_BEFORE_PLAN = OP_COUNT - 1,
#define OPCODE(name, operands, immediate) OP_##name,
    PLAN_OPCODES(OPCODE)
#undef OPCODE
        OP_ALL
};

/* An AGGREGATE whose keys are the same each time. */
struct plan_site {
    uint32_t aggregation;
    uint32_t first_key; /* in the pool */
};

/* A value of the pool: what a register holds before an instruction. */
struct plan_capture {
    uint16_t point; /* that instruction, from the start */
    uint8_t reg;
};

enum { PLAN_POOL_MAX = 192 };

struct plan {
    struct plan *next;
    uint32_t start; /* the first instruction, in the program */
    uint16_t by_code, strings;
    uint32_t length;                     /* instructions of the program */
    const uint8_t *kinds;                /* for each: enum plan_kind */
    const struct plan_capture *captures; /* values of the pool, by point */
    const uint16_t *places;              /* for each: where it is in the pool */
    const struct plan_site *sites;
    const bool *is_text;                    /* for each value of the pool */
    const struct program_instruction *code; /* NULL: the clause is not made for this */
    const uint16_t *origins; /* for each instruction of `code`: of which it was made, from the start */
    uint16_t pool_size, site_count;
    uint32_t count;      /* instructions of `code` */
    bool is_plain;       /* it needs nothing that is made ready before a clause, nor leaves anything behind */
    ready_runner *alone; /* of a list in which it is the only clause; only if it is plain */
    const struct quick_instruction *quick;  /* the form in which it runs: quick.h */
    const uint16_t *quick_origins;          /* for each: of which of `code` it was made */
    const struct program_instruction *slow; /* what it leaves to vm_run */
    const uint16_t *slow_origins;
};

/* The program's instructions that a clause's begin with, and that one of them was made of. */
static inline const struct program_instruction *plan_start(const struct engine *engine,
                                                           const struct ready *ready) {
    return ready->plan ? engine->instructions + ready->plan->start : ready->code;
}

static inline const struct program_instruction *plan_instruction(const struct engine *engine,
                                                                 const struct ready *ready,
                                                                 const struct program_instruction *at) {
    return ready->plan ? plan_start(engine, ready) + ready->plan->origins[at - ready->code] : at;
}

/* The plan of a clause's code from `start` on, at a probe; NULL: there is none. Under the engine's lock. */
const struct plan *plan_of(struct engine *engine, const struct probe_info *probe, uint32_t clause,
                           uint32_t start);

/* Works out the values of the pool for a code object: the decider's event, probe and code are set. False:
   they cannot be told beforehand. Texts stay valid until the decider's next clause. */
bool plan_work_out(struct engine *engine, const struct plan *plan, struct value *pool);

#endif
