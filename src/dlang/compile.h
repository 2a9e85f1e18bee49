/*
 * compile.h: one compilation, as the files behind the parser share it: the state, how an error is raised, and
 * who does what. A clause is matched, cooked (names and types), and generated before the next one begins,
 * since a variable is known to what comes later in the text.
 */
#ifndef DLANG_COMPILE_H
#define DLANG_COMPILE_H

#include "assemble.h"
#include "dlang.h"
#include "identifiers.h"
#include "lexer.h"
#include "memory.h"
#include "node.h"
#include "program/format.h"
#include "types.h"

#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct compilation {
    const struct dlang_settings *settings;
    struct dlang_problem *problem;
    jmp_buf *failed;       /* where to go, with 1, when the problem has been written */
    struct memory *memory; /* has everything of this compilation */
    struct types *types;
    struct identifiers *identifiers;
    struct assembly *assembly;      /* the program that grows */
    int64_t options[OPTION_COUNT];  /* set by pragmas so far, and from the command line */
    int64_t pragmas[OPTION_COUNT];  /* set by pragmas alone, in the midst of a source too */
    const char *tag;                /* of the last failure: DTrace's name for the kind of error */
    const char *region;             /* for messages without a line: "predicate", "action list"; or NULL */
    size_t source;                  /* the one that is compiled */
    const struct node *description; /* of the clause that is compiled */
    bool is_destructive;            /* has an action that needs -w */
    struct format format;           /* the last format string taken apart; freed at the end */
    const struct node *translators; /* NODE_TRANSLATORs met so far, the newest first */
};

/* Writes the problem, with the place of `node` (may be NULL) and DTrace's tag for it, and jumps. */
_Noreturn void compile_fail(struct compilation *compilation, const struct node *node, const char *tag,
                            const char *format, ...) __attribute__((noreturn, format(printf, 4, 5)));

/* As it is set so far, or its default. */
int64_t compile_option(const struct compilation *compilation, enum option option);

/* fold.c: what DTrace's parser computes by itself: operations on integer constants, so that the branch of a
   ?: that a constant excludes is never looked at. `node` is changed in place, with all that hangs on it. */
void fold(struct compilation *compilation, struct node *node);
/* Computes a node whose operands are NODE_INTEGERs; false: not an operation on integers. */
bool fold_operation(struct compilation *compilation, struct node *node);
_Noreturn void fold_fail_by_zero(struct compilation *compilation, const struct node *node);

/* The value as a variable of this type would have it. */
int64_t fold_cut(uint64_t value, const struct type *type);

/* cook.c: gives each expression its type, and checks it. */
enum use {
    USE_READ = 1 << 0,
    USE_WRITE = 1 << 1, /* an assignment; makes a variable known */
    USE_STEP = 1 << 2,  /* ++ and --, on a variable without a type: it becomes an int64_t */
};
void cook(struct compilation *compilation, struct node *node, enum use use);
/* The type of an operation on two numbers: the larger, or of two of one size the unsigned one. D has no
   promotion to int, and computes in 64 bits whatever the type: it cuts a value only where it is stored,
   recorded or cast. */
const struct type *cook_promoted(struct compilation *compilation, const struct type *left,
                                 const struct type *right);
void cook_declaration(struct compilation *compilation, struct node *node); /* also inlines, translators */
void cook_call(struct compilation *compilation, struct node *call);        /* calls.c */

/* A node's type for messages: "int", "string", "aggregation". In the compilation's memory. */
const char *cook_describe(struct compilation *compilation, const struct node *node);

/* May an argument or a key of this type be passed where `wanted` stands, as D's prototypes mean it? */
bool cook_accepts(struct compilation *compilation, const struct type *wanted, const struct node *argument);
int cook_plain_operator(int op); /* '+' of "+=" */
bool cook_is_integer(const struct node *node);
bool cook_is_text(const struct node *node);
bool cook_is_scalar(const struct node *node);
bool cook_is_dynamic(const struct node *node);

/* "name( ) prototype mismatch: 3 args passed, 1 expected" unless fewest <= given <= most. */
void cook_count(struct compilation *compilation, const struct node *node, const char *name,
                const char *brackets, const char *things, unsigned given, unsigned fewest, unsigned most);

/* alloca.c: marks a cooked node as to alloca'd memory; checks an assignment to a variable. */
void alloca_mark(struct node *node);
void alloca_assign(struct compilation *compilation, const struct node *node);

/* provider.c */
void declare_provider(struct compilation *compilation, struct node *provider);

/* clause.c: the code of a clause that is cooked, all but its enablings. Returns its index. */
uint32_t generate_clause(struct compilation *compilation, struct node *clause);

/* tags.c: puts DTrace's tag before a problem of the parser. */
void tag_problem(struct dlang_problem *problem);

unsigned node_count(const struct node *list);

#endif
