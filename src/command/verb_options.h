/*
 * verb_options.h: the command line of a verb, by tables of its options; durations and sizes with their units.
 */
#ifndef VERB_OPTIONS_H
#define VERB_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

struct verb_option {
    const char *name; /* "-d" or "--file"; NULL ends a table */
    bool has_argument;
    /* Returns STATUS_OK, or another after a message. The argument is NULL if it has none. `line` is the
       verb's. */
    int (*take)(void *line, const char *argument);
};

/* What the words of a verb may be. */
struct verb_words {
    const struct verb_option *const *tables;        /* NULL ends them; of two that have a name, the first */
    int (*take_word)(void *line, const char *word); /* what is no option: a pid */
    int (*take_program)(void *line, char *const *program); /* what is behind "--", NULL at its end; or NULL */
};

/* Takes argv[1] and what follows; argv[0] is the verb. "--file=x", "--file x", "-d5", "-d 5" and clusters, as
 * "-gi", are understood. Returns STATUS_OK, or another after a message. */
int verb_options_take(const struct verb_words *words, void *line, int argc, char **argv);

/* Reads a duration: a number, also a fraction, and a unit: ns, us, ms, s, m, h; without one, `unit`, or if
 * that is NULL a message. The result is above 0, in nanoseconds. Returns STATUS_OK, or STATUS_USAGE after a
 * message that begins with the option. */
int parse_duration(const char *option, const char *text, const char *unit, int64_t *nanoseconds);

/* The same for a size in bytes: a number, also a fraction, and K, M or G, of 1024. */
int parse_size(const char *option, const char *text, uint64_t *bytes);

#endif
