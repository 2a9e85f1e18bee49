/*
 * format.c: the table of printf's and printa's conversions, and taking a format string apart by it. The words
 * of prototypes and problems are DTrace's.
 */
#include "format.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char any_integer[] = "char, short, int, long, or long long";
static const char small_integer[] = "char, short, or int";
static const char any_float[] = "float, double, or long double";
static const char string[] = "char [] or string (or use stringof)";
static const char wide_string[] = "wchar_t []";
static const char address[] = "pointer or integer";
static const char user_address[] = "pointer or integer (with -p/-c) or _usymaddr (without -p/-c)";

static const struct conversion conversions[] = {
    {"a", address, CONVERSION_ADDRESS, TAKES_ADDRESS},
    {"A", user_address, CONVERSION_ADDRESS, TAKES_USER_ADDRESS},
    {"c", small_integer, CONVERSION_CHARACTER, TAKES_CHARACTER},
    {"C", small_integer, CONVERSION_ESCAPED_CHAR, TAKES_CHARACTER},
    {"d", any_integer, CONVERSION_DECIMAL, TAKES_INTEGER},
    {"e", any_float, CONVERSION_FLOAT, TAKES_FLOAT},
    {"E", any_float, CONVERSION_FLOAT, TAKES_FLOAT},
    {"f", any_float, CONVERSION_FLOAT, TAKES_FLOAT},
    {"g", any_float, CONVERSION_FLOAT, TAKES_FLOAT},
    {"G", any_float, CONVERSION_FLOAT, TAKES_FLOAT},
    {"hd", "short", CONVERSION_DECIMAL, TAKES_TYPE},
    {"hi", "short", CONVERSION_DECIMAL, TAKES_TYPE},
    {"ho", "unsigned short", CONVERSION_OCTAL, TAKES_TYPE},
    {"hu", "unsigned short", CONVERSION_UNSIGNED, TAKES_TYPE},
    {"hx", "short", CONVERSION_HEX, TAKES_SHORT},
    {"hX", "short", CONVERSION_HEX_UPPER, TAKES_SHORT},
    {"i", any_integer, CONVERSION_DECIMAL, TAKES_INTEGER},
    {"k", "dt_stack_t", CONVERSION_STACK, TAKES_STACK},
    {"lc", "int", CONVERSION_WIDE_CHARACTER, TAKES_TYPE},
    {"ld", "long", CONVERSION_DECIMAL, TAKES_TYPE},
    {"li", "long", CONVERSION_DECIMAL, TAKES_TYPE},
    {"lo", "unsigned long", CONVERSION_OCTAL, TAKES_TYPE},
    {"lu", "unsigned long", CONVERSION_UNSIGNED, TAKES_TYPE},
    {"ls", wide_string, CONVERSION_WIDE_STRING, TAKES_WIDE_STRING},
    {"lx", "long", CONVERSION_HEX, TAKES_LONG},
    {"lX", "long", CONVERSION_HEX_UPPER, TAKES_LONG},
    {"lld", "long long", CONVERSION_DECIMAL, TAKES_TYPE},
    {"lli", "long long", CONVERSION_DECIMAL, TAKES_TYPE},
    {"llo", "unsigned long long", CONVERSION_OCTAL, TAKES_TYPE},
    {"llu", "unsigned long long", CONVERSION_UNSIGNED, TAKES_TYPE},
    {"llx", "long long", CONVERSION_HEX, TAKES_LONG_LONG},
    {"llX", "long long", CONVERSION_HEX_UPPER, TAKES_LONG_LONG},
    {"Le", "long double", CONVERSION_FLOAT, TAKES_TYPE},
    {"LE", "long double", CONVERSION_FLOAT, TAKES_TYPE},
    {"Lf", "long double", CONVERSION_FLOAT, TAKES_TYPE},
    {"Lg", "long double", CONVERSION_FLOAT, TAKES_TYPE},
    {"LG", "long double", CONVERSION_FLOAT, TAKES_TYPE},
    {"o", any_integer, CONVERSION_OCTAL, TAKES_INTEGER},
    {"p", address, CONVERSION_HEX, TAKES_ADDRESS},
    {"s", string, CONVERSION_STRING, TAKES_STRING},
    {"S", string, CONVERSION_ESCAPED_STRING, TAKES_STRING},
    {"T", "int64_t", CONVERSION_TIME_MAIL, TAKES_TIME},
    {"u", any_integer, CONVERSION_UNSIGNED, TAKES_INTEGER},
    {"wc", "int", CONVERSION_WIDE_CHARACTER, TAKES_TYPE},
    {"ws", wide_string, CONVERSION_WIDE_STRING, TAKES_WIDE_STRING},
    {"x", any_integer, CONVERSION_HEX, TAKES_INTEGER},
    {"X", any_integer, CONVERSION_HEX_UPPER, TAKES_INTEGER},
    {"Y", "int64_t", CONVERSION_TIME, TAKES_TIME},
    {"%", "void", CONVERSION_NONE, TAKES_NOTHING},
};

enum {
    NAME_MAX_LENGTH = 15,          /* of a conversion, as far as a problem quotes it */
    POINTER_DIGITS = 16,           /* the width that '?' stands for */
    NUMBER_MAX = INT_MAX / 10 - 1, /* of a width or a precision */
};

static const struct conversion *find_conversion(const char *name) {
    for (size_t i = 0; i < sizeof conversions / sizeof conversions[0]; i++)
        if (strcmp(conversions[i].name, name) == 0)
            return &conversions[i];
    return NULL;
}

/* Reading one conversion. */
struct reader {
    const char *at;           /* the next character */
    struct format_part *part; /* being filled */
    unsigned number;          /* of the conversion, 1 and up, for problems */
    bool precise;             /* behind the '.' */
    bool flagged;             /* has anything between % and the name */
    char *problem;
    size_t n;
};

static bool fail(const struct reader *reader, const char *what) {
    snprintf(reader->problem, reader->n, "format conversion #%u %s", reader->number, what);
    return false;
}

static bool set_number(struct reader *reader, int value) {
    int *number = reader->precise ? &reader->part->precision : &reader->part->width;
    bool *dynamic = reader->precise ? &reader->part->dynamic_precision : &reader->part->dynamic_width;
    bool again = *dynamic || (*number >= 0 && !(reader->precise && *number == 0));
    if (again && reader->precise)
        return fail(reader, "has more than one precision specified");
    if (again)
        return fail(reader, "has more than one width specified");
    if (value < 0)
        *dynamic = true;
    else
        *number = value;
    return true;
}

static bool read_number(struct reader *reader) {
    int value = 0;
    for (; *reader->at >= '0' && *reader->at <= '9'; reader->at++)
        if (value < NUMBER_MAX)
            value = value * 10 + *reader->at - '0';
    reader->at--;
    return set_number(reader, value);
}

/* One character between '%' and the name. False with an empty problem: it is not one of them. */
static bool read_flag(struct reader *reader) {
    struct format_part *part = reader->part;
    switch (*reader->at) {
    case '-': /* of '-' and '0' the last one counts */
        part->zero = false;
        return part->left = true;
    case '+':
        return part->plus = true;
    case ' ':
        return part->space = true;
    case '#':
        return part->alternate = true;
    case '\'':
        return part->grouped = true;
    case '@':
        return part->aggregation = true;
    case '?':
        return set_number(reader, POINTER_DIGITS);
    case '*':
        return set_number(reader, -1);
    case '$':
        return fail(reader, "uses unsupported positional format (%n$)");
    case '.':
        if (reader->precise)
            return fail(reader, "has more than one '.' specified");
        part->precision = 0;
        return reader->precise = true;
    case '0':
        if (reader->precise)
            return read_number(reader);
        part->left = false;
        return part->zero = true;
    case '1':
    case '2':
    case '3':
    case '4':
    case '5':
    case '6':
    case '7':
    case '8':
    case '9':
        return read_number(reader);
    default:
        return false;
    }
}

/* What comes behind a '%'. Flags may come between the letters of a name, as DTrace has it. */
static bool read_conversion(struct reader *reader) {
    char name[NAME_MAX_LENGTH + 1];
    size_t length = 0;

    for (bool complete = false; !complete; reader->at++) {
        reader->problem[0] = '\0';
        if (read_flag(reader)) {
            reader->flagged = true;
            continue;
        }
        if (reader->problem[0] != '\0')
            return false;
        if (*reader->at == '\0')
            return fail(reader, "name expected before end of format string");
        if (length < NAME_MAX_LENGTH)
            name[length++] = *reader->at;
        complete = strchr("hlLw", *reader->at) == NULL;
    }
    name[length] = '\0';

    const struct conversion *conversion = find_conversion(name);
    if (!conversion) {
        snprintf(reader->problem, reader->n, "format conversion #%u is undefined: %%%s", reader->number,
                 name);
        return false;
    }
    if (conversion->class == CONVERSION_NONE && reader->flagged)
        return fail(reader, "cannot be combined with other format flags: %%");
    reader->part->conversion = conversion;
    return true;
}

bool format_parse(struct format *format, const char *text, char *problem, size_t n) {
    size_t percents = 0;
    for (const char *c = text; *c; c++)
        percents += *c == '%';

    format->count = 0;
    format->parts = calloc(2 * percents + 1, sizeof *format->parts); /* text before each and at the end */
    if (!format->parts) {
        snprintf(problem, n, "out of memory");
        return false;
    }
    for (unsigned number = 0; *text;) {
        struct format_part *part = &format->parts[format->count];
        part->width = part->precision = -1;
        if (*text != '%') {
            part->text = text;
            part->text_length = strcspn(text, "%");
            text += part->text_length;
        } else {
            struct reader reader = {text + 1, part, ++number, false, false, problem, n};
            if (!read_conversion(&reader))
                return false;
            text = reader.at;
        }
        format->count++;
    }
    return true;
}

void format_free(struct format *format) {
    free(format->parts);
    format->parts = NULL;
    format->count = 0;
}
