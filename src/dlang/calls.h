/*
 * calls.h: the table of all that a D program can call: subroutines, aggregating functions and actions, each
 * with its prototype. Their code is in generate.c (subroutines) and actions.c.
 */
#ifndef DLANG_CALLS_H
#define DLANG_CALLS_H

enum function_kind { FUNCTION_SUBROUTINE, FUNCTION_AGGREGATING, FUNCTION_ACTION };

enum { ANY_NUMBER = 255 };

/* What a call of no action of tables.h is, though D calls it one. */
enum { ACTION_SPECULATE = 1000, ACTION_UNSUPPORTED };

struct function {
    const char *name;
    enum function_kind kind;
    unsigned index; /* enum subroutine, enum aggregating_function, enum action */
    unsigned fewest, most;
    const char *result;    /* D type */
    const char *prototype; /* D types of the arguments, separated by commas; "*": one of any type; further
                              arguments may be of any type */
};

extern const struct function functions[];
extern const unsigned function_count;

#endif
