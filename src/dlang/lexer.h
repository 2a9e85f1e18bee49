/*
 * lexer.h: from the text of a script to tokens. D's tokens depend on where they stand (a probe description,
 * an expression, a type known by name), so the parser sets the state and asks for one token at a time.
 */
#ifndef DLANG_LEXER_H
#define DLANG_LEXER_H

#include "dlang.h"
#include "memory.h"
#include "node.h"

#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* KEYWORD(name in C, name in D, also a keyword where a probe description may begin) */
#define LEXER_KEYWORDS(KEYWORD)                                                                              \
    KEYWORD(AUTO, "auto", true)                                                                              \
    KEYWORD(BREAK, "break", false)                                                                           \
    KEYWORD(CASE, "case", false)                                                                             \
    KEYWORD(CHAR, "char", true)                                                                              \
    KEYWORD(CONST, "const", true)                                                                            \
    KEYWORD(CONTINUE, "continue", false)                                                                     \
    KEYWORD(COUNTER, "counter", true)                                                                        \
    KEYWORD(DEFAULT, "default", false)                                                                       \
    KEYWORD(DO, "do", false)                                                                                 \
    KEYWORD(DOUBLE, "double", true)                                                                          \
    KEYWORD(ELSE, "else", false)                                                                             \
    KEYWORD(ENUM, "enum", true)                                                                              \
    KEYWORD(EXTERN, "extern", true)                                                                          \
    KEYWORD(FLOAT, "float", true)                                                                            \
    KEYWORD(FOR, "for", false)                                                                               \
    KEYWORD(GOTO, "goto", false)                                                                             \
    KEYWORD(IF, "if", false)                                                                                 \
    KEYWORD(IMPORT, "import", true)                                                                          \
    KEYWORD(INLINE, "inline", true)                                                                          \
    KEYWORD(INT, "int", true)                                                                                \
    KEYWORD(LONG, "long", true)                                                                              \
    KEYWORD(OFFSETOF, "offsetof", false)                                                                     \
    KEYWORD(PROBE, "probe", false)                                                                           \
    KEYWORD(PROVIDER, "provider", true)                                                                      \
    KEYWORD(REGISTER, "register", true)                                                                      \
    KEYWORD(RESTRICT, "restrict", true)                                                                      \
    KEYWORD(SELF, "self", true)                                                                              \
    KEYWORD(SHORT, "short", true)                                                                            \
    KEYWORD(SIGNED, "signed", true)                                                                          \
    KEYWORD(SIZEOF, "sizeof", false)                                                                         \
    KEYWORD(STATIC, "static", true)                                                                          \
    KEYWORD(STRING, "string", true)                                                                          \
    KEYWORD(STRINGOF, "stringof", false)                                                                     \
    KEYWORD(STRUCT, "struct", true)                                                                          \
    KEYWORD(SWITCH, "switch", false)                                                                         \
    KEYWORD(THIS, "this", true)                                                                              \
    KEYWORD(TRANSLATOR, "translator", true)                                                                  \
    KEYWORD(TYPEDEF, "typedef", true)                                                                        \
    KEYWORD(UNION, "union", true)                                                                            \
    KEYWORD(UNSIGNED, "unsigned", true)                                                                      \
    KEYWORD(USERLAND, "userland", true)                                                                      \
    KEYWORD(VOID, "void", true)                                                                              \
    KEYWORD(VOLATILE, "volatile", true)                                                                      \
    KEYWORD(WHILE, "while", false)                                                                           \
    KEYWORD(XLATE, "xlate", false)

/* OPERATOR(name in C, as written): those of more than one character; the others are their character. */
#define LEXER_OPERATORS(OPERATOR)                                                                            \
    OPERATOR(ELLIPSIS, "...")                                                                                \
    OPERATOR(SHIFT_LEFT_ASSIGN, "<<=")                                                                       \
    OPERATOR(SHIFT_RIGHT_ASSIGN, ">>=")                                                                      \
    OPERATOR(ADD_ASSIGN, "+=")                                                                               \
    OPERATOR(SUBTRACT_ASSIGN, "-=")                                                                          \
    OPERATOR(MULTIPLY_ASSIGN, "*=")                                                                          \
    OPERATOR(DIVIDE_ASSIGN, "/=")                                                                            \
    OPERATOR(REMAINDER_ASSIGN, "%=")                                                                         \
    OPERATOR(AND_ASSIGN, "&=")                                                                               \
    OPERATOR(XOR_ASSIGN, "^=")                                                                               \
    OPERATOR(OR_ASSIGN, "|=")                                                                                \
    OPERATOR(SHIFT_LEFT, "<<")                                                                               \
    OPERATOR(SHIFT_RIGHT, ">>")                                                                              \
    OPERATOR(LESS_EQUAL, "<=")                                                                               \
    OPERATOR(GREATER_EQUAL, ">=")                                                                            \
    OPERATOR(EQUAL, "==")                                                                                    \
    OPERATOR(NOT_EQUAL, "!=")                                                                                \
    OPERATOR(LOGICAL_AND, "&&")                                                                              \
    OPERATOR(LOGICAL_XOR, "^^")                                                                              \
    OPERATOR(LOGICAL_OR, "||")                                                                               \
    OPERATOR(INCREMENT, "++")                                                                                \
    OPERATOR(DECREMENT, "--")                                                                                \
    OPERATOR(ARROW, "->")

enum token_kind {
    TOKEN_END,        /* of the text */
    TOKEN_NAME = 256, /* of a variable, function, member, symbol */
    TOKEN_TYPE_NAME,  /* of a typedef */
    TOKEN_INTEGER,
    TOKEN_STRING,
    TOKEN_AGGREGATION,   /* @name; its text without '@', "_" when unnamed */
    TOKEN_DESCRIPTION,   /* a probe description, macros replaced */
    TOKEN_PREDICATE_END, /* the '/' behind a predicate */
#define OPERATOR(name, text) TOKEN_##name,
    LEXER_OPERATORS(OPERATOR)
#undef OPERATOR
#define KEYWORD(name, text, outside) KEYWORD_##name,
        LEXER_KEYWORDS(KEYWORD)
#undef KEYWORD
};

/* An operator as DTrace's messages write it: "+", "<<=", "sizeof". Static. */
const char *token_text(int token);
bool token_is_keyword(int token);

enum lexer_state {
    LEXER_OUTSIDE,    /* between clauses: probe descriptions, or the first word of a declaration */
    LEXER_EXPRESSION, /* in a clause, a predicate or a declaration */
};

struct token {
    int kind;           /* enum token_kind, or a character */
    const char *text;   /* the name, the string, the description; in the compilation's memory */
    size_t text_length; /* of TOKEN_STRING, which may hold '\0' */
    uint64_t value;     /* TOKEN_INTEGER */
    char sign;          /* '-' or '+' before the number in a macro argument, else 0 */
    bool decimal;       /* not octal or hexadecimal: prefers signed types */
    char suffix[4];     /* of the number, as written: "ull" */
    const char *start;  /* in the text */
    size_t length;
    unsigned line, column; /* where it begins */
};

/* Which macro arguments the sources of a compilation refer to. */
struct macros {
    bool *used; /* by index, $0 too; settings->argument_count + 1 */
};

struct types;

struct lexer {
    const struct dlang_settings *settings;
    size_t source; /* index in the settings */
    const struct parser_output *output;
    struct dlang_problem *problem;
    jmp_buf *failed; /* where to go, with 1, when the problem has been written */
    const char *at;  /* where the next token is looked for; the text ends with a '\0' at `end` */
    const char *end;
    const char *line_start; /* of the line of `at` */
    const char *file;       /* as a line marker of the preprocessor says; NULL: the source's own */
    unsigned line;          /* DTrace's line number at this moment */
    const char *shown;      /* what a syntax error shows: DTrace's yytext ... */
    size_t shown_length;    /* ... and its length */
    bool end_seen;          /* a look ahead has met the end: DTrace words it in another way */
    enum lexer_state state;
    int previous;                        /* kind of the token before */
    int parentheses, brackets, braces;   /* open ones */
    struct lexer_word *met;              /* the last name, until it is noted; or NULL */
    struct lexer_word *words[64];        /* identifiers met before, hashed */
    struct node *pragmas, **pragmas_end; /* for the parser to take: NODE_PRAGMA */
};

/* Begins at the text, which ends with '\0' at `end`. The other fields that the caller sets: settings, source,
   output, problem, failed. */
void lexer_init(struct lexer *lexer, const char *text, const char *end);

/* Reads the next token. Does not return when the text is wrong: writes the problem and jumps. */
void lexer_next(struct lexer *lexer, struct token *token);

/* The type that a program can name so; NULL: none. */
const struct type *lexer_type(const struct lexer *lexer, const char *name);

/* From now on `name` is a variable, even if a type has the same name. */
void lexer_know(struct lexer *lexer, const char *name);

/* Has the text so far mentioned this variable, or is it one of D's own? */
bool lexer_is_builtin(const char *name); /* is it of D itself? */
bool lexer_knows(struct lexer *lexer, const char *name);

/* Is the name that of a variable which has been declared, of an enumerator, or one of D's own? */
bool lexer_is_taken(struct lexer *lexer, const char *name);

/* Writes a problem at the lexer's line, or at `line`, and jumps. */
_Noreturn void lexer_fail(struct lexer *lexer, const char *format, ...)
    __attribute__((noreturn, format(printf, 2, 3)));
_Noreturn void lexer_fail_at(struct lexer *lexer, unsigned line, const char *format, ...)
    __attribute__((noreturn, format(printf, 3, 4)));

/* "syntax error near ..." what was read last. */
_Noreturn void lexer_syntax_error(struct lexer *lexer);

/* The value of a macro variable ($pid, $target, ...). False: there is none of this name. */
bool macro_variable(const struct dlang_settings *settings, const char *name, size_t length, int64_t *value);

/* Replaces the escapes of `length` bytes of a string or character constant. Returns the new length; the copy
   is in `memory`. */
size_t lexer_unescape(struct memory *memory, const char *bytes, size_t length, const char **unescaped);

#endif
