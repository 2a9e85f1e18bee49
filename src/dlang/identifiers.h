/*
 * identifiers.h: what the names of a D program mean. Each of D's name spaces is a list: globals with builtin
 * variables and inlines, self->, this->, aggregations, and the parameters of the inline that is being
 * expanded.
 */
#ifndef DLANG_IDENTIFIERS_H
#define DLANG_IDENTIFIERS_H

#include "memory.h"
#include "node.h"
#include "types.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum identifier_kind {
    IDENTIFIER_SCALAR,
    IDENTIFIER_ARRAY,       /* associative */
    IDENTIFIER_POINTER,     /* self, this: names that stand for nothing alone */
    IDENTIFIER_BUILTIN,     /* index: enum builtin */
    IDENTIFIER_ARGUMENTS,   /* args[], uregs[]: arrays without a prototype of keys */
    IDENTIFIER_KERNEL,      /* curthread and kin: a pointer to what only dlang knows */
    IDENTIFIER_INLINE,      /* expression, with parameters as keys */
    IDENTIFIER_AGGREGATION, /* index: in the program */
    IDENTIFIER_FUNCTION,    /* index: in the table of functions (calls.h) */
    IDENTIFIER_KINDS
};

enum identifier_space { SPACE_GLOBALS, SPACE_THREAD, SPACE_LOCALS, SPACE_AGGREGATIONS, IDENTIFIER_SPACES };

/* What the addresses in a variable lead to, by its assignments so far. */
enum memory_kind { MEMORY_UNKNOWN, MEMORY_ALLOCA, MEMORY_OTHER };

enum {
    PARAMETERS_MAX = 4, /* constants of an aggregating function */
};

struct identifier {
    struct identifier *next; /* in the bucket */
    const char *name;
    enum identifier_kind kind;
    enum identifier_space space;
    const struct type *type; /* NULL: not known until it is assigned */
    unsigned line;           /* where it was first named; 0: of D itself */
    unsigned index;          /* by kind; of a variable, in the program */
    bool in_program;         /* index is valid: some code uses it */
    bool is_declared;        /* by a declaration */
    bool unimplemented;      /* a builtin that is known by name alone */
    enum memory_kind memory; /* of a variable */

    bool has_keys; /* those of an array or an aggregation are known */
    unsigned key_count;
    const struct type **keys;

    struct node *expression; /* of an inline */
    struct node *parameters; /* of an inline: NODE_DECLARATIONs */

    int function; /* of an aggregation: enum aggregating_function; -1: none yet */
    int64_t constants[PARAMETERS_MAX];
};

struct identifiers;

/* With D's builtin variables and functions. All lives in `memory`. */
struct identifiers *identifiers_new(struct memory *memory, struct types *types);

/* NULL: there is none. */
struct identifier *identifier_find(struct identifiers *identifiers, enum identifier_space space,
                                   const char *name);
struct identifier *identifier_add(struct identifiers *identifiers, enum identifier_space space,
                                  enum identifier_kind kind, const char *name);

/* As messages name the kind: "scalar", "associative array". */
const char *identifier_kind_name(const struct identifier *identifier);
/* What stands before the name in a message: "self->", "this->", "@", "". */
const char *identifier_prefix(enum identifier_space space);
enum identifier_space identifier_space_of(enum node_scope scope);

#endif
