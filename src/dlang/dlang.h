/*
 * dlang.h: the D language: from the text of a script to a program (program.h). Plain C, one thread at a time,
 * no global state.
 */
#ifndef DLANG_DLANG_H
#define DLANG_DLANG_H

#include "program/program.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where a probe description is looked up when it is compiled. */
struct dlang_probes {
    /* How many probes match the description (globs; "" matches all)? The provider is as written with macros
       replaced: "python24601", "python*", "dtrace", "profile", "". For profile-N and tick-N, which exist once
       they are asked for: is the name well formed? */
    unsigned (*match)(void *context, const char *provider, const char *module, const char *function,
                      const char *name);
    /* The D type of argument `index` of the probe of this name, for args[]: "string", "int32_t"; NULL: has
     * none. */
    const char *(*argument_type)(void *context, const char *provider, const char *name, unsigned index);
    /* The parts of the probe with this id, as `dtrace -l` lists it; false: there is none. NULL: no ids. */
    bool (*describe)(void *context, uint32_t id, const char *parts[4]);
    void *context;
};

struct dlang_source {
    const char *name; /* of the script, for messages: "a_py_flowinfo.d"; NULL: given by -n, -P, -m, -f */
    const char *text; /* as read; '\0' at the end; a first line #! is skipped */
    bool whole_description; /* -P, -m, -f, -n: text is a probe description, perhaps with predicate and actions
                             */
    char kind;              /* 's', 'n', 'P', 'm', 'f', 'i': how it was given */
};

struct dlang_settings {
    const struct dlang_source *sources; /* in the order of the command line: clauses in that order */
    size_t source_count;
    const char *const *arguments; /* $1..., $$1...; $0 is the script's name or "dtrace" */
    size_t argument_count;
    uint32_t target;          /* $target; 0: none */
    bool zero_matches;        /* -Z: a description may match nothing */
    bool no_default_action;   /* -x ... for tests */
    const char *preprocessor; /* -C: the command, with its -D -I -U arguments; NULL: none */
    struct dlang_probes probes;
    int64_t options[OPTION_COUNT]; /* set by -x on the command line, else OPTION_UNSET; pragmas in the text
                                      are merged in: the command line wins */
};

/* A message and its place. */
struct dlang_problem {
    char text[1024]; /* what dtrace prints behind "failed to compile script NAME: " or "invalid probe
                        specifier TEXT: ": with "line N: " where it does; may have several lines */
    size_t source;   /* index of the source */
    unsigned line;   /* 1 and up; 0: no place */
    unsigned column; /* 1 and up; 0: not known */
};

/* What a source has brought to the program. */
struct dlang_matched {
    unsigned probes;    /* for "matched N probes" */
    unsigned enablings; /* of the program's, the next so many */
};

struct dlang_result {
    struct program_header *program; /* malloc; the caller frees it; NULL on failure */
    struct dlang_matched *matched;  /* for each source; malloc */
};

/* Compiles all sources to one program. False: `problem` says why. */
bool dlang_compile(const struct dlang_settings *settings, struct dlang_result *result,
                   struct dlang_problem *problem);

/* Reads an option as -x and, in a program, #pragma D option write it: "quiet", "bufsize=4m". NULL, or why not
   in DTrace's words: "Invalid option name", "Invalid value for specified option". */
const char *dlang_option(int64_t options[OPTION_COUNT], const char *text, bool in_program);

/* A program as text, for -S and for debugging; malloc. */
char *dlang_listing(const struct program_header *program);

#endif
