/*
 * generate.h: code from cooked expressions. The result of an expression is left in the first free register;
 * what it needs on the way is taken above it, and free again behind it. So operands that must be consecutive
 * are so by themselves.
 */
#ifndef DLANG_GENERATE_H
#define DLANG_GENERATE_H

#include "compile.h"

struct generator {
    struct compilation *compilation;
    struct assembly *assembly;
    unsigned next;                                 /* the first free register */
    const struct node *at;                         /* for errors */
    struct program_clause clause;                  /* being made */
    uint32_t action;                               /* the one whose fields are being emitted */
    bool records, commits, speculates, aggregates; /* what the statements so far have done */
};

/* A place that jumps go to, forwards. Zeroed: none yet. */
struct label {
    struct jump *jumps;
};

uint32_t emit(struct generator *generator, enum opcode op, unsigned dst, unsigned a, unsigned b,
              int32_t immediate);
void emit_jump(struct generator *generator, enum opcode op, unsigned reg, struct label *label);
void place_label(struct generator *generator, const struct label *label); /* here */

/* Takes the next register. */
unsigned generate_register(struct generator *generator);
unsigned generate_number(struct generator *generator, int64_t value);

/* The value of an expression, in the register that is returned: as its type has it, as an integer (a string
   by its address), as a string, or as `type` wants it. */
unsigned generate_value(struct generator *generator, struct node *node);
unsigned generate_integer(struct generator *generator, struct node *node);
unsigned generate_text(struct generator *generator, struct node *node);
unsigned generate_as(struct generator *generator, struct node *node, const struct type *type);
unsigned generate_keys(struct generator *generator, struct node *keys, const struct identifier *identifier);

/* Jumps to the label if the truth of the expression is `sense`. */
void generate_branch(struct generator *generator, struct node *node, bool sense, struct label *label);

/* Is the value a string in a register? */
bool type_is_held_as_string(const struct type *type);

/* actions.c: a statement that is a call of an action, or an aggregation. False: it is neither. */
bool generate_action(struct generator *generator, struct node *statement);
/* The frames of stack(), ustack(), jstack(), checked. */
uint32_t stack_frames(struct generator *generator, const struct node *call);
void generate_stack(struct generator *generator, const struct node *call, unsigned dst);

#endif
