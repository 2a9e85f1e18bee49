/*
 * options.c: options as -x and #pragma D option write them: a table of kinds, each with its own syntax.
 */
#include "dlang.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum option_kind { KIND_FLAG, KIND_SWITCH, KIND_NUMBER, KIND_SIZE, KIND_RATE, KIND_POLICY, KIND_TEXT };

static const char invalid_value[] = "Invalid value for specified option";
static const char too_large[] = "Value too large for defined data type";

static const struct {
    const char *name;
    enum option_kind kind;
} options_known[OPTION_COUNT] = {
#define OPTION(name, text, kind, fallback) {text, KIND_##kind},
    PROGRAM_OPTIONS(OPTION)
#undef OPTION
};

/* Options of DTrace's that are taken for nothing here: they are of the kernel, of the linker, of DTrace's own
   libraries and of its debugging. Where a value is one of a few, `words` has them. */
static const struct {
    const char *name;
    enum option_kind kind;
    bool not_in_program;
    const char *words;
} options_ignored[] = {
    {"aggpercpu", KIND_SWITCH, false, NULL},
    {"bpflog", KIND_FLAG, false, NULL},
    {"bpflogsize", KIND_SIZE, false, NULL},
    {"btfpath", KIND_TEXT, true, NULL},
    {"cpphdrs", KIND_SWITCH, false, NULL},
    {"ctfpath", KIND_TEXT, true, NULL},
    {"ctypes", KIND_TEXT, false, NULL},
    {"debug", KIND_SWITCH, false, NULL},
    {"disasm", KIND_NUMBER, false, NULL},
    {"droptags", KIND_FLAG, false, NULL},
    {"dtypes", KIND_TEXT, false, NULL},
    {"empty", KIND_SWITCH, false, NULL},
    {"evaltime", KIND_TEXT, false, " exec preinit postinit main "},
    {"grabanon", KIND_FLAG, false, NULL},
    {"kdefs", KIND_SWITCH, false, NULL},
    {"knodefs", KIND_SWITCH, false, NULL},
    {"late", KIND_TEXT, false, " static dynamic "},
    {"lazyload", KIND_FLAG, false, NULL},
    {"ldpath", KIND_TEXT, true, NULL},
    {"libdir", KIND_TEXT, false, NULL},
    {"linkmode", KIND_TEXT, false, " kernel static dynamic "},
    {"linknommap", KIND_SWITCH, false, NULL},
    {"linktype", KIND_TEXT, false, " elf dof "},
    {"lockmem", KIND_TEXT, true, NULL},
    {"maxframes", KIND_NUMBER, false, NULL},
    {"modpath", KIND_TEXT, true, NULL},
    {"nolibs", KIND_SWITCH, false, NULL},
    {"noresolve", KIND_FLAG, false, NULL},
    {"pcapsize", KIND_SIZE, false, NULL},
    {"pgmax", KIND_TEXT, false, NULL},
    {"preallocate", KIND_SIZE, false, NULL},
    {"procfspath", KIND_TEXT, true, NULL},
    {"pspec", KIND_SWITCH, false, NULL},
    {"quietresize", KIND_FLAG, false, NULL},
    {"stdc", KIND_TEXT, true, " a c s t "},
    {"strip", KIND_SWITCH, false, NULL},
    {"syslibdir", KIND_TEXT, false, NULL},
    {"sysslice", KIND_TEXT, false, NULL},
    {"tregs", KIND_NUMBER, false, NULL},
    {"udefs", KIND_SWITCH, false, NULL},
    {"unodefs", KIND_SWITCH, false, NULL},
    {"useruid", KIND_NUMBER, false, NULL},
    {"cppargs", KIND_TEXT, true, NULL},
    {"cpppath", KIND_TEXT, true, NULL},
    {"define", KIND_TEXT, true, NULL},
    {"incdir", KIND_TEXT, true, NULL},
    {"undef", KIND_TEXT, true, NULL},
};

/* The words of options whose value is one of a few, by the number that stands for each. */
static const struct {
    enum option option;
    const char *word;
    int64_t value;
} option_words[] = {
    {OPTION_BUFPOLICY, "switch", 0}, {OPTION_BUFPOLICY, "fill", 1},   {OPTION_BUFPOLICY, "ring", 2},
    {OPTION_BUFRESIZE, "auto", 0},   {OPTION_BUFRESIZE, "manual", 1}, {OPTION_OFORMAT, "text", 0},
    {OPTION_OFORMAT, "json", 1},     {OPTION_PROFILE, "cpu", 0},      {OPTION_PROFILE, "wall", 1},
};

static const struct {
    const char *name;
    int64_t factor;
} sizes[] = {
    {"k", INT64_C(1) << 10}, {"m", INT64_C(1) << 20}, {"g", INT64_C(1) << 30}, {"t", INT64_C(1) << 40}};

/* The factor of a suffix, or -1. */
static int64_t find_size(const char *name) {
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        if (strcasecmp(sizes[i].name, name) == 0)
            return sizes[i].factor;
    return -1;
}

static bool read_number(const char *text, int64_t *value, const char **rest) {
    char *end;
    errno = 0;
    *value = strtoll(text, &end, 0);
    *rest = end;
    return end != text && errno == 0;
}

static bool read_size(const char *text, int64_t *value) {
    const char *rest;
    if (!read_number(text, value, &rest) || *value < 0)
        return false;
    int64_t factor = *rest ? find_size(rest) : 1;
    if (factor <= 0 || *value > INT64_MAX / factor)
        return false;
    *value *= factor;
    return true;
}

/* A time between two, or with hz or nothing behind it, how often in a second. */
static bool read_rate(enum option option, const char *text, int64_t *value) {
    const char *rest;
    if (!read_number(text, value, &rest) || *value < 0)
        return false;
    const char *fallback = option == OPTION_MAXTIME ? "s" : "hz";
    int64_t factor = program_time_unit(*rest ? rest : fallback);
    if (factor < 0)
        return false;
    if (factor == 0) { /* hz */
        *value = *value ? 1000000000 / *value : 0;
        return true;
    }
    if (*value > INT64_MAX / factor)
        return false;
    *value *= factor;
    return true;
}

static bool read_word(enum option option, const char *text, int64_t *value) {
    for (size_t i = 0; i < sizeof option_words / sizeof *option_words; i++)
        if (option_words[i].option == option && strcmp(option_words[i].word, text) == 0) {
            *value = option_words[i].value;
            return true;
        }
    return false;
}

/* Values of which 0 makes no sense. */
static bool needs_more(enum option option) {
    return option == OPTION_STRSIZE;
}

/* `option`: which, where the kind alone does not tell. */
static bool read_value(enum option_kind kind, enum option option, const char *text, int64_t *value) {
    const char *rest;
    switch (kind) {
    case KIND_SWITCH:
        *value = 1;
        return !text;
    case KIND_FLAG:
        *value = 1;
        return !text || program_read_flag(text, value);
    case KIND_NUMBER:
        *value = 1;
        return !text || (read_number(text, value, &rest) && !*rest && *value >= 0);
    case KIND_SIZE:
        return text && read_size(text, value) && (*value > 0 || !needs_more(option));
    case KIND_RATE:
        return text && read_rate(option, text, value);
    default:
        return text && read_word(option, text, value);
    }
}

static bool read_ignored(const char *name, size_t length, const char *value, bool in_program,
                         const char **problem) {
    for (size_t i = 0; i < sizeof options_ignored / sizeof *options_ignored; i++) {
        if (strlen(options_ignored[i].name) != length || strncmp(options_ignored[i].name, name, length) != 0)
            continue;
        int64_t number;
        char word[64];
        snprintf(word, sizeof word, " %s ", value ? value : "");
        const char *words = options_ignored[i].words;
        bool good = options_ignored[i].kind == KIND_TEXT
                        ? value && (!words || strstr(words, word))
                        : read_value(options_ignored[i].kind, OPTION_COUNT, value, &number);
        *problem = in_program && options_ignored[i].not_in_program
                       ? "Option cannot be used from within a D program"
                   : good ? NULL
                          : invalid_value;
        return true;
    }
    return false;
}

const char *dlang_option(int64_t options[OPTION_COUNT], const char *text, bool in_program) {
    const char *value = strchr(text, '='), *problem;
    size_t length = value ? (size_t)(value - text) : strlen(text);
    value = value ? value + 1 : NULL;
    for (int i = 0; i < OPTION_COUNT; i++)
        if (strlen(options_known[i].name) == length && strncmp(options_known[i].name, text, length) == 0)
            return !read_value(options_known[i].kind, (enum option)i, value, &options[i]) ? invalid_value
                   : i == OPTION_STRSIZE && options[i] > UINT32_MAX                       ? too_large
                                                                                          : NULL;
    if (length == strlen("version") && strncmp(text, "version", length) == 0)
        return "Operation not supported"; /* there is one version of D, as for DTrace 2 */
    return read_ignored(text, length, value, in_program, &problem) ? problem : "Invalid option name";
}
