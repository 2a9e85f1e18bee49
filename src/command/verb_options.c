/*
 * The command line of a verb: options by their tables, and quantities with units.
 */
#ifndef _GNU_SOURCE
#    define _GNU_SOURCE
#endif
#include "verb_options.h"

#include "command.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool is_long(const char *word) {
    return word[1] == '-';
}

/* "--file=x" is one word, "--file x" two; of a cluster "-gi" the first letter is looked at. */
static bool has_name(const struct verb_option *option, const char *word) {
    size_t length = strlen(option->name);
    if (strncmp(word, option->name, length) != 0) {
        return false;
    }
    return word[length] == '\0' || !is_long(word) || (option->has_argument && word[length] == '=');
}

static const struct verb_option *find(const struct verb_words *words, const char *word) {
    for (const struct verb_option *const *table = words->tables; *table != NULL; table++) {
        for (const struct verb_option *option = *table; option->name != NULL; option++) {
            if (has_name(option, word)) {
                return option;
            }
        }
    }
    return NULL;
}

/* Takes argv[*at], an option or a cluster of them, and the argument of the last. */
static int take_options(const struct verb_words *words, void *line, int argc, char **argv, int *at) {
    const char *word = argv[(*at)++];
    const char *rest = word;
    char letter[] = "-?"; /* the option at hand, when it is in a cluster */
    for (;;) {
        const struct verb_option *option = find(words, rest == word ? word : letter);
        if (option == NULL) {
            return command_usage_error("%s: unknown option %s", argv[0], rest == word ? word : letter);
        }
        rest += rest == word ? strlen(option->name) : 1;
        if (option->has_argument) {
            if (*rest == '\0' && *at == argc) {
                return command_usage_error("option %s needs an argument", option->name);
            }
            const char *argument = *rest == '\0' ? argv[(*at)++] : rest + is_long(word);
            return option->take(line, argument);
        }
        int status = option->take(line, NULL);
        if (status != STATUS_OK || *rest == '\0') {
            return status;
        }
        letter[1] = *rest;
    }
}

int verb_options_take(const struct verb_words *words, void *line, int argc, char **argv) {
    int status = STATUS_OK;
    for (int at = 1; at < argc && status == STATUS_OK;) {
        if (strcmp(argv[at], "--") == 0 && words->take_program != NULL) {
            return at + 1 == argc ? command_usage_error("%s: which command is behind the --?", argv[0])
                                  : words->take_program(line, argv + at + 1);
        }
        bool is_option = argv[at][0] == '-' && argv[at][1] != '\0';
        status = is_option ? take_options(words, line, argc, argv, &at) : words->take_word(line, argv[at++]);
    }
    return status;
}

struct unit {
    const char *name;
    double factor;
};

static const struct unit duration_units[] = {
    {"ns", 1}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"m", 60e9}, {"h", 3600e9}, {NULL, 0},
};

static const struct unit size_units[] = {
    {"K", 1 << 10}, {"k", 1 << 10}, {"M", 1 << 20}, {"m", 1 << 20}, {"G", 1 << 30}, {"g", 1 << 30}, {NULL, 0},
};

/* A positive number with one of the units; `unit` when it has none. 0: it is not that. */
static double parse_quantity(const char *text, const struct unit *units, const char *unit) {
    char *end;
    double number = strtod(text, &end);
    if (end == text || text + strspn(text, "0123456789.") != end || !(number > 0)) {
        return 0; /* neither "inf" nor "0x10" */
    }
    const char *name = *end == '\0' ? unit : end;
    for (; name != NULL && units->name != NULL; units++) {
        if (strcmp(units->name, name) == 0) {
            return number * units->factor;
        }
    }
    return 0;
}

int parse_duration(const char *option, const char *text, const char *unit, int64_t *nanoseconds) {
    double value = parse_quantity(text, duration_units, unit);
    if (!(value >= 1) || value > 1e18) {
        return command_usage_error("%s takes a time such as 500ms, 1.5s or 2m, not %s", option, text);
    }
    *nanoseconds = (int64_t)llround(value);
    return STATUS_OK;
}

int parse_size(const char *option, const char *text, uint64_t *bytes) {
    double value = parse_quantity(text, size_units, NULL);
    if (!(value >= 1) || value > 1e18) {
        return command_usage_error("%s takes a size such as 64M or 1G, not %s", option, text);
    }
    *bytes = (uint64_t)llround(value);
    return STATUS_OK;
}
