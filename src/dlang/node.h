/*
 * node.h: the parse tree. The parser makes it; cook.c gives each expression its type; generate.c walks it.
 * All nodes of a compilation live in one arena of memory and are freed together.
 */
#ifndef DLANG_NODE_H
#define DLANG_NODE_H

#include "program/tables.h"
#include "types.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum node_kind {
    /* expressions */
    NODE_INTEGER,     /* value, type (by suffix and size, or char constant) */
    NODE_STRING,      /* text: escapes replaced */
    NODE_NAME,        /* text: x, self->x, this->x (scope); a macro variable is replaced by the lexer */
    NODE_SYMBOL,      /* module`symbol: text; no such thing in a Python process, refused by name */
    NODE_ARRAY,       /* left[list]: an associative array of a NAME, or indexing of a pointer or C array */
    NODE_CALL,        /* text(list) */
    NODE_UNARY,       /* op left: - + ~ ! * & ++ -- (prefix) KEYWORD_SIZEOF KEYWORD_STRINGOF */
    NODE_POSTFIX,     /* left ++ or -- */
    NODE_BINARY,      /* left op right: arithmetic, comparison, logic, comma */
    NODE_ASSIGN,      /* left op right: = += ... */
    NODE_TERNARY,     /* condition ? left : right */
    NODE_CAST,        /* (type) left */
    NODE_SIZEOF,      /* sizeof (type) */
    NODE_OFFSETOF,    /* offsetof(type, text) */
    NODE_MEMBER,      /* left . text */
    NODE_ARROW,       /* left -> text; self-> and this-> are NODE_NAME */
    NODE_AGGREGATION, /* @text[list]; text "_" when unnamed */
    NODE_XLATE,       /* xlate <type> (left) */
    /* statements */
    NODE_STATEMENT, /* left: an expression; ";" alone leaves none */
    /* declarations */
    NODE_DECLARATION, /* type text with scope; keys in list (NODE_TYPE) for an associative array; a typedef
                         or a tag alone leaves none. A parameter: type, and text "" when it has no name */
    NODE_TYPE,        /* type */
    NODE_INLINE,      /* inline type text = left; keys[list of NODE_DECLARATION] */
    NODE_TRANSLATOR,  /* translator type < source_type text > { list of NODE_TRANSLATION } */
    NODE_TRANSLATION, /* text = left */
    NODE_PROVIDER,    /* provider text { list of NODE_PROBE } */
    NODE_PROBE,       /* probe text (list of NODE_DECLARATION) [: (right: list of NODE_DECLARATION)] */
    NODE_PRAGMA,      /* #pragma D text ... parts[3]: "attributes" or "binding" of a name */
    /* clauses */
    NODE_DESCRIPTION, /* parts: provider, module, function, name; or value: a probe's id, and no parts; text:
                         as written */
    NODE_CLAUSE,      /* descriptions: list; predicate: condition; statements: right list; no_actions */
};

enum node_scope { NODE_GLOBAL, NODE_THREAD, NODE_LOCAL }; /* x, self->x, this->x */

enum {
    PARSER_DEPTH_MAX = 1000,   /* levels of an expression's tree, so that walkers may recurse */
    PARSER_NESTING_MAX = 1000, /* of the grammar: a bracket within a bracket takes two or three */
};

struct identifier; /* cook.c */

struct node {
    enum node_kind kind;
    struct node *next; /* in a list */
    unsigned line;     /* the one that DTrace names: where its scanner was when the node was made */
    unsigned column;   /* in that line, where it begins; 0 when it begins in another */
    unsigned source;   /* index in the settings */
    const char *file;  /* that a #line names; NULL: the source itself */
    int op;            /* a token of lexer.h: '+', TOKEN_SHIFT_LEFT, ... */
    enum node_scope scope;
    const char *text;   /* name, string */
    size_t text_length; /* of NODE_STRING, which may hold '\0' */
    uint64_t value;     /* NODE_INTEGER */
    struct node *left, *right, *condition;
    struct node *list;    /* arguments, keys, descriptions, members */
    const char *parts[4]; /* NODE_DESCRIPTION: "" when not given */
    bool no_actions;      /* NODE_CLAUSE: without braces: the default action */
    unsigned depth;       /* of the tree under an expression; at most PARSER_DEPTH_MAX */
    bool parenthesized;   /* expression in ( ): matters to messages */
    bool is_extern;       /* NODE_DECLARATION */
    bool is_number;       /* NODE_DESCRIPTION: a probe's id */
    const struct type
        *source_type;        /* NODE_TRANSLATOR: what it translates; NODE_XLATE: to what, when cooked */
    const struct type *type; /* of a constant, cast, declaration: by the parser; else by cook.c */
    /* by cook.c: */
    struct identifier *identifier;
    const struct type_member *member; /* MEMBER, ARROW */
    bool is_constant;                 /* value is known */
    bool is_lvalue, is_writable;      /* is_writable: also what a pointer of the program's leads to */
    bool is_alloca;                   /* its value comes from the address of alloca'd memory */
    bool lies_in_alloca;              /* it is a place in such memory */
    bool translates_pointer;          /* NODE_XLATE: to a pointer */
};

struct types;
struct memory; /* of this compilation; memory.h */
struct macros; /* use of $1..., lexer.h */
struct dlang_settings;
struct dlang_problem;

/* What the sources of a compilation are parsed into. */
struct parser_output {
    struct types *types;   /* learns what the sources declare */
    struct memory *memory; /* has the nodes */
    struct macros *macros;
    int64_t *options; /* OPTION_COUNT: set by #pragma D option; begins as OPTION_UNSET */
};

/* Parses one source into a list of declarations, pragmas and clauses in the order of the text. Syntax errors,
   constants, escapes, macro variables, the form of probe descriptions are checked here, and the lines that
   #pragma D option holds are obeyed. `last_line` becomes the line of the end of the text. False: the problem
   says why, in DTrace's words. */
bool parse(const struct dlang_settings *settings, size_t source, const struct parser_output *output,
           struct node **list, unsigned *last_line, struct dlang_problem *problem);

/* After the last source: is there a macro argument that none of them refers to? Then false, with the
   problem, at `last_line` of the last source. */
bool macros_all_used(const struct dlang_settings *settings, const struct macros *macros, unsigned last_line,
                     struct dlang_problem *problem);

/* The value of an integer constant expression of what the parser knows: numbers, enumerators, sizeof, casts,
   operators. False: not constant. */
bool node_constant_value(struct types *types, const struct node *node, int64_t *value);

/* Computes an operator on two constants of 64 bits: arithmetic, and comparison or logic. False: it is none of
   these, or divides by zero. */
bool constant_compute(int op, uint64_t a, uint64_t b, bool is_signed, uint64_t *value);
bool constant_compare(int op, uint64_t a, uint64_t b, bool is_signed, uint64_t *value);

#endif
