/*
 * lexer.c: from the text of a script to tokens. What a syntax error shows of the text follows DTrace's own
 * scanner, quirks included, since people know its messages by heart.
 */
#ifndef _GNU_SOURCE
#    define _GNU_SOURCE
#endif
#include "lexer.h"
#include "pragma.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct {
    const char *text;
    int kind;
    bool outside; /* also where a probe description may begin */
} keywords[] = {
#define KEYWORD(name, text, outside) {text, KEYWORD_##name, outside},
    LEXER_KEYWORDS(KEYWORD)
#undef KEYWORD
};

/* The longer ones first. */
static const struct {
    const char *text;
    int kind;
} operators[] = {
#define OPERATOR(name, text) {text, TOKEN_##name},
    LEXER_OPERATORS(OPERATOR)
#undef OPERATOR
};

/* The words of DTrace's own variables and functions: names of which its scanner knows without looking ahead
   that they are no types. */
static const char *const builtins[] = {
#define BUILTIN(name, text, kind, type) text,
    PROGRAM_BUILTINS(BUILTIN)
#undef BUILTIN
#define SUBROUTINE(name, text, result, operands, fewest, type, prototype) text,
        PROGRAM_SUBROUTINES(SUBROUTINE)
#undef SUBROUTINE
#define AGGREGATING(name, text, fewest, most) text,
            PROGRAM_AGGREGATING(AGGREGATING)
#undef AGGREGATING
#define ACTION(name, text, ...) text,
                PROGRAM_ACTIONS(ACTION)
#undef ACTION
                    "args",
    "curcpu",
    "curlwpsinfo",
    "curpsinfo",
    "curthread",
    "uregs",
    "vmregs",
};

struct lexer_word {
    struct lexer_word *next; /* in its bucket */
    const char *text;
    size_t length;
    bool is_variable; /* declared, or used as one: never a type */
    bool is_seen;     /* met where it was no type's name */
};

const char *token_text(int token) {
    static const char characters[] = "+\0-\0*\0/\0%\0&\0|\0^\0~\0!\0<\0>\0=\0,\0?\0:\0.";
    for (size_t i = 0; i < sizeof characters; i += 2)
        if (characters[i] == token)
            return characters + i;
    for (size_t i = 0; i < sizeof operators / sizeof *operators; i++)
        if (operators[i].kind == token)
            return operators[i].text;
    for (size_t i = 0; i < sizeof keywords / sizeof *keywords; i++)
        if (keywords[i].kind == token)
            return keywords[i].text;
    return "?";
}

bool token_is_keyword(int token) {
    for (size_t i = 0; i < sizeof keywords / sizeof *keywords; i++)
        if (keywords[i].kind == token)
            return true;
    return false;
}

/* --- messages --- */

/* "line 3: ", and where that is; returns its length. */
static size_t begin_problem(struct lexer *lexer, unsigned line) {
    struct dlang_problem *problem = lexer->problem;
    const struct dlang_source *source = &lexer->settings->sources[lexer->source];
    int written = 0;
    if (!source->whole_description && lexer->file)
        written = snprintf(problem->text, sizeof problem->text, "\"%.200s\", line %u: ", lexer->file, line);
    else if (!source->whole_description)
        written = snprintf(problem->text, sizeof problem->text, "line %u: ", line);
    problem->source = lexer->source;
    problem->line = line;
    problem->column = line == lexer->line && lexer->shown >= lexer->line_start
                          ? (unsigned)(lexer->shown - lexer->line_start) + 1
                          : 0;
    return (size_t)written;
}

void lexer_fail(struct lexer *lexer, const char *format, ...) {
    size_t written = begin_problem(lexer, lexer->line);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(lexer->problem->text + written, sizeof lexer->problem->text - written, format, arguments);
    va_end(arguments);
    longjmp(*lexer->failed, 1);
}

void lexer_fail_at(struct lexer *lexer, unsigned line, const char *format, ...) {
    size_t written = begin_problem(lexer, line);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(lexer->problem->text + written, sizeof lexer->problem->text - written, format, arguments);
    va_end(arguments);
    longjmp(*lexer->failed, 1);
}

void lexer_syntax_error(struct lexer *lexer) {
    if (lexer->shown_length == 0)
        lexer_fail(lexer, "syntax error near %s", lexer->end_seen ? "end-of-input" : "end of input");
    if (*lexer->shown == '\n')
        lexer_fail(lexer, "syntax error near end of line");
    int length = (int)strcspn(lexer->shown, "\n");
    if ((size_t)length > lexer->shown_length)
        length = (int)lexer->shown_length;
    lexer_fail(lexer, "syntax error near \"%.*s\"", length > 900 ? 900 : length, lexer->shown);
}

/* --- characters --- */

static const char blanks[] = " \t\f\v\r\n";

static bool is_blank(char c) {
    return c != '\0' && strchr(blanks, c);
}

static bool is_name_start(char c) {
    return isalpha((unsigned char)c) || c == '_' || c == '`';
}

static bool is_name_part(char c) {
    return isalnum((unsigned char)c) || c == '_' || c == '`';
}

static bool is_description_start(char c) {
    return isalpha((unsigned char)c) || (unsigned char)c >= 0x80 || (c != '\0' && strchr("-$:_.?*\\[]!", c));
}

static bool is_description_part(char c) {
    return isalnum((unsigned char)c) || (unsigned char)c >= 0x80 || (c != '\0' && strchr("-$:_.`?*\\[]!", c));
}

static void advance(struct lexer *lexer, const char *to) {
    for (; lexer->at < to; lexer->at++)
        if (*lexer->at == '\n') {
            lexer->line++;
            lexer->line_start = lexer->at + 1;
        }
}

static void show(struct lexer *lexer, const char *from, const char *to) {
    lexer->shown = from;
    lexer->shown_length = (size_t)(to - from);
}

/* --- escapes --- */

static int digit_of(char c) {
    return isdigit((unsigned char)c)    ? c - '0'
           : isxdigit((unsigned char)c) ? tolower((unsigned char)c) - 'a' + 10
                                        : 16;
}

/* A number of at most `most` digits, of which the lowest eight bits count; moves `at` behind it. */
static unsigned char escaped_number(const char **at, const char *end, int base, size_t most) {
    unsigned value = 0;
    for (; most > 0 && *at < end && digit_of(**at) < base; most--, ++*at)
        value = value * (unsigned)base + (unsigned)digit_of(**at);
    return (unsigned char)value;
}

size_t lexer_unescape(struct memory *memory, const char *bytes, size_t length, const char **unescaped) {
    static const char names[] = "abfnrtv", values[] = "\a\b\f\n\r\t\v";
    char *out = memory_allocate(memory, length + 1);
    size_t n = 0;
    *unescaped = out;
    for (const char *end = bytes + length; bytes < end;) {
        if (*bytes != '\\' || bytes + 1 == end) {
            out[n++] = *bytes++;
            continue;
        }
        const char *name = bytes[1] ? strchr(names, bytes[1]) : NULL;
        bytes++;
        if (digit_of(*bytes) < 8) {
            out[n++] = (char)escaped_number(&bytes, end, 8, 3);
        } else if (*bytes == 'x' || *bytes == 'X') {
            bytes++;
            out[n++] = (char)escaped_number(&bytes, end, 16, length);
        } else {
            if (!name && !strchr("\"\\", *bytes))
                out[n++] = '\\';
            const char *value = name ? values + (name - names) : bytes;
            out[n++] = *value;
            bytes++;
        }
    }
    return n;
}

/* --- names and types --- */

static struct lexer_word *word_of(struct lexer *lexer, const char *text, size_t length, bool make) {
    unsigned hash = 0;
    for (size_t i = 0; i < length; i++)
        hash = hash * 31 + (unsigned char)text[i];
    struct lexer_word **bucket = &lexer->words[hash % (sizeof lexer->words / sizeof *lexer->words)];
    for (struct lexer_word *word = *bucket; word; word = word->next)
        if (word->length == length && memcmp(word->text, text, length) == 0)
            return word;
    if (!make)
        return NULL;
    struct lexer_word *word = memory_allocate(lexer->output->memory, sizeof *word);
    word->text = text;
    word->length = length;
    word->next = *bucket;
    return *bucket = word;
}

void lexer_know(struct lexer *lexer, const char *name) {
    word_of(lexer, name, strlen(name), true)->is_variable = true;
}

bool lexer_is_builtin(const char *name) {
    for (size_t i = 0; i < sizeof builtins / sizeof *builtins; i++)
        if (strcmp(builtins[i], name) == 0)
            return true;
    return false;
}

static void note_met(struct lexer *lexer) {
    if (lexer->met)
        lexer->met->is_seen = true;
    lexer->met = NULL;
}

bool lexer_knows(struct lexer *lexer, const char *name) {
    note_met(lexer);
    const struct lexer_word *word = word_of(lexer, name, strlen(name), false);
    return lexer_is_builtin(name) || (word && (word->is_seen || word->is_variable));
}

bool lexer_is_taken(struct lexer *lexer, const char *name) {
    const struct lexer_word *word = word_of(lexer, name, strlen(name), false);
    return lexer_is_builtin(name) || (word && word->is_variable);
}

/* D's inner types are no words of the language. */
const struct type *lexer_type(const struct lexer *lexer, const char *name) {
    const struct type *type = type_named(lexer->output->types, name);
    if (!type)
        return NULL;
    switch (type->kind) {
    case TYPE_STACK:
    case TYPE_SYMBOL:
    case TYPE_AGGREGATION:
    case TYPE_DYNAMIC:
        return NULL;
    default:
        return type;
    }
}

/* Could a type's name stand here, given the token before? */
static bool type_may_follow(const struct lexer *lexer) {
    switch (lexer->previous) {
    case '.':
    case TOKEN_ARROW:
    case KEYWORD_STRUCT:
    case KEYWORD_UNION:
    case KEYWORD_ENUM:
        return false;
    default:
        return true;
    }
}

/* A name in an expression or a declaration. DTrace's scanner looks ahead behind one that it meets for the
   first time, after which a syntax error shows all that follows. */
static void take_name(struct lexer *lexer, struct token *token, const char *text) {
    token->text = text;
    token->kind = TOKEN_NAME;
    if (lexer_is_builtin(text))
        return;
    const struct type *type = lexer_type(lexer, text);
    struct lexer_word *word = word_of(lexer, text, strlen(text), true);
    const char *next = lexer->at + strspn(lexer->at, blanks);
    if (lexer->previous != TOKEN_NAME) /* a name becomes known to DTrace once the token behind it is there */
        note_met(lexer);
    if (type && type_may_follow(lexer)) {
        const char *variables = lexer->previous == '(' ? "=.+" : "=.[+"; /* but "sizeof (t[4])" */
        word->is_variable |= *next != '\0' && strchr(variables, *next) && lexer->braces > 0;
        if (!word->is_variable)
            token->kind = TOKEN_TYPE_NAME;
    }
    if (type || !(word->is_seen || word->is_variable)) {
        show(lexer, lexer->shown, lexer->end);
        lexer->end_seen |= next == lexer->end;
    }
    note_met(lexer);
    lexer->met = type ? NULL : word;
}

/* --- numbers, strings --- */

static const char *skip_digits(const char *at, int base) {
    while (digit_of(*at) < base)
        at++;
    return at;
}

static const char *skip_one_of(const char *at, const char *set) {
    return *at != '\0' && strchr(set, *at) ? at + 1 : at;
}

static const char *integer_end(const char *at) {
    if (*at == '0' && (at[1] == 'x' || at[1] == 'X') && digit_of(at[2]) < 16)
        at = skip_digits(at + 2, 16);
    else
        at = skip_digits(at, 10);
    return skip_one_of(skip_one_of(skip_one_of(at, "uU"), "lL"), "lL");
}

/* NULL when no floating-point constant begins here. */
static const char *float_end(const char *at) {
    const char *end = skip_digits(at, 10);
    bool has_digits = end > at;
    if (*end == '.' && (has_digits || digit_of(end[1]) < 10))
        end = skip_digits(end + 1, 10);
    else if (!has_digits)
        return NULL;
    if (*end == 'e' || *end == 'E') {
        const char *exponent = skip_one_of(end + 1, "+-");
        if (digit_of(*exponent) < 10)
            end = skip_digits(exponent, 10);
    }
    return skip_one_of(end, "fFlL");
}

/* The number that `text` begins with; what follows it is its suffix. */
static const char *read_integer(struct token *token, const char *text, bool *overflow) {
    char *end;
    errno = 0;
    token->value = strtoull(text, &end, 0);
    *overflow = errno == ERANGE;
    token->kind = TOKEN_INTEGER;
    token->decimal = *text != '0';
    snprintf(token->suffix, sizeof token->suffix, "%.3s", end);
    return end;
}

static void take_integer(struct lexer *lexer, struct token *token, const char *end) {
    const char *text = memory_copy(lexer->output->memory, lexer->at, (size_t)(end - lexer->at));
    show(lexer, lexer->at, end);
    bool overflow;
    const char *suffix = read_integer(token, text, &overflow);
    if (overflow)
        lexer_fail(lexer, "constant %.400s results in integer overflow", text);
    if (*suffix != '\0' && !strchr("uUlL", *suffix))
        lexer_fail(lexer, "constant %.400s contains invalid digit %c", text, *suffix);
    advance(lexer, end);
}

/* The closing quote; fails at the end of the line, behind which DTrace's scanner then stands. */
static const char *quoted_end(struct lexer *lexer, const char *what) {
    const char *at = lexer->at + 1;
    while (*at != *lexer->at) {
        if (*at == '\\' && at[1] != '\n' && at + 1 < lexer->end)
            at++;
        else if (*at == '\n' || *at == '\\')
            break;
        else if (at == lexer->end)
            break;
        at++;
    }
    show(lexer, lexer->at, at);
    if (*at == *lexer->at)
        return at;
    if (*at != '\n') {
        show(lexer, lexer->at, lexer->at + 1);
        lexer_syntax_error(lexer);
    }
    advance(lexer, at + 1);
    lexer_fail(lexer, "newline encountered in %s", what);
}

static void take_string(struct lexer *lexer, struct token *token) {
    const char *end = quoted_end(lexer, "string literal");
    token->kind = TOKEN_STRING;
    token->text_length =
        lexer_unescape(lexer->output->memory, lexer->at + 1, (size_t)(end - lexer->at - 1), &token->text);
    token->text_length = strnlen(token->text, token->text_length); /* "a\0b" is "a", in D */
    advance(lexer, end + 1);
    show(lexer, token->start, lexer->at);
}

static void take_character(struct lexer *lexer, struct token *token) {
    const char *end = quoted_end(lexer, "character constant"), *bytes;
    if (end == lexer->at + 1)
        lexer_fail(lexer, "empty character constant");
    size_t n = lexer_unescape(lexer->output->memory, lexer->at + 1, (size_t)(end - lexer->at - 1), &bytes);
    if (n > sizeof token->value)
        lexer_fail(lexer, "character constant is too long");
    token->kind = TOKEN_INTEGER;
    token->decimal = true;
    for (size_t i = 0; i < n; i++)
        token->value = token->value << 8 | (unsigned char)bytes[i];
    advance(lexer, end + 1);
    show(lexer, token->start, lexer->at);
}

/* --- macros --- */

static int64_t target_of(const struct dlang_settings *settings) {
    return (int32_t)settings->target;
}

#define SYSTEM_MACRO(name, expression)                                                                       \
    static int64_t macro_##name(const struct dlang_settings *settings) {                                     \
        (void)settings;                                                                                      \
        return (int32_t)(expression);                                                                        \
    }
SYSTEM_MACRO(pid, getpid())
SYSTEM_MACRO(ppid, getppid())
SYSTEM_MACRO(pgid, getpgrp())
SYSTEM_MACRO(sid, getsid(0))
SYSTEM_MACRO(uid, getuid())
SYSTEM_MACRO(euid, geteuid())
SYSTEM_MACRO(gid, getgid())
SYSTEM_MACRO(egid, getegid())

static const struct {
    const char *name;
    int64_t (*value)(const struct dlang_settings *settings);
} macro_variables[] = {
    {"egid", macro_egid}, {"euid", macro_euid},  {"gid", macro_gid},
    {"pgid", macro_pgid}, {"pid", macro_pid},    {"ppid", macro_ppid},
    {"sid", macro_sid},   {"target", target_of}, {"uid", macro_uid},
};

bool macro_variable(const struct dlang_settings *settings, const char *name, size_t length, int64_t *value) {
    for (size_t i = 0; i < sizeof macro_variables / sizeof *macro_variables; i++)
        if (strlen(macro_variables[i].name) == length && memcmp(macro_variables[i].name, name, length) == 0) {
            *value = macro_variables[i].value(settings);
            return true;
        }
    return false;
}

/* $0 is the script's name; NULL when there is no such argument. */
static const char *macro_argument(const struct lexer *lexer, size_t index) {
    const struct dlang_settings *settings = lexer->settings;
    if (index > settings->argument_count)
        return NULL;
    lexer->output->macros->used[index] = true;
    if (index > 0)
        return settings->arguments[index - 1];
    for (size_t i = 0; i < settings->source_count; i++)
        if (settings->sources[i].name)
            return settings->sources[i].name;
    return "dtrace";
}

/* 12 and -0x1f; 12abc too, which is 12 to DTrace. */
static bool is_number(const char *text) {
    char *end;
    if (!*text)
        return false;
    strtoull(text, &end, 0);
    if (isdigit((unsigned char)*text))
        while (is_name_part(*end))
            end++;
    return *end == '\0';
}

static bool is_name(const char *text) {
    if (!is_name_start(*text))
        return false;
    while (is_name_part(*text))
        text++;
    return *text == '\0';
}

static void take_text(struct lexer *lexer, struct token *token, const char *text, size_t length) {
    token->kind = TOKEN_STRING;
    token->text_length = lexer_unescape(lexer->output->memory, text, length, &token->text);
}

/* An argument stands for a number or a name if it reads as one, else for a string. */
static void take_argument(struct lexer *lexer, struct token *token, const char *written, const char *text) {
    if (is_number(text)) {
        bool overflow;
        if (!isdigit((unsigned char)*text))
            token->sign = *text++;
        read_integer(token, text, &overflow);
        *token->suffix = '\0';
        if (overflow)
            lexer_fail(lexer, "macro argument %s constant %.400s results in integer overflow", written, text);
    } else if (is_name(text)) {
        take_name(lexer, token, memory_copy(lexer->output->memory, text, strlen(text)));
    } else {
        size_t length = strlen(text);
        bool quoted = length > 1 && text[0] == '"' && text[length - 1] == '"';
        take_text(lexer, token, text + quoted, length - 2 * quoted);
    }
}

/* $name, $1, and with $$ their text. False: no macro begins here. */
static bool take_macro(struct lexer *lexer, struct token *token) {
    const char *start = lexer->at, *name = start + 1;
    bool as_text = *name == '$';
    name += as_text;
    const char *end = name;
    if (digit_of(*name) < 10)
        end = skip_digits(name, 10);
    else if (is_name_start(*name))
        while (is_name_part(*end))
            end++;
    if (end == name)
        return false;
    const char *written = memory_copy(lexer->output->memory, start, (size_t)(end - start));
    show(lexer, start, end);
    if (digit_of(*name) < 10) {
        bool defaults = lexer->settings->options[OPTION_DEFAULTARGS] > 0 ||
                        lexer->output->options[OPTION_DEFAULTARGS] > 0;
        errno = 0;
        unsigned long long index = strtoull(name, NULL, 10);
        const char *text = errno ? NULL : macro_argument(lexer, (size_t)index);
        if (!text && !defaults)
            lexer_fail(lexer, "macro argument %.400s is not defined", written);
        advance(lexer, end);
        if (as_text)
            take_text(lexer, token, text ? text : "", text ? strlen(text) : 0);
        else
            take_argument(lexer, token, written, text ? text : "0");
        return true;
    }
    int64_t value;
    if (!macro_variable(lexer->settings, name, (size_t)(end - name), &value))
        lexer_fail(lexer, "macro variable %.400s is not defined", written);
    advance(lexer, end);
    token->kind = TOKEN_INTEGER;
    token->value = (uint64_t)value;
    token->decimal = true;
    if (as_text) {
        const char *text = memory_print(lexer->output->memory, "%u", (unsigned)value);
        take_text(lexer, token, text, strlen(text));
    }
    return true;
}

/* --- what is no token --- */

static void skip_comment(struct lexer *lexer) {
    for (const char *at = lexer->at + 2;; at++) {
        if (at == lexer->end) {
            advance(lexer, at);
            show(lexer, at, at);
            lexer_fail(lexer, "end-of-file encountered before matching */");
        }
        if (at[0] == '/' && at[1] == '*') {
            advance(lexer, at);
            lexer_fail(lexer, "/* encountered inside a comment");
        }
        if (at[0] == '*' && at[1] == '/') {
            advance(lexer, at + 2);
            return;
        }
    }
}

static bool stands_first(const struct lexer *lexer) {
    for (const char *at = lexer->line_start; at < lexer->at; at++)
        if (!is_blank(*at))
            return false;
    return true;
}

static void skip_line(struct lexer *lexer) {
    const char *end = memchr(lexer->at, '\n', (size_t)(lexer->end - lexer->at));
    advance(lexer, end ? end : lexer->end);
}

/* Blanks, comments, #! lines; control lines are obeyed. */
static void skip(struct lexer *lexer) {
    for (;;) {
        if (is_blank(*lexer->at))
            advance(lexer, lexer->at + 1);
        else if (lexer->at[0] == '/' && lexer->at[1] == '*')
            skip_comment(lexer);
        else if (lexer->at[0] == '/' && lexer->at[1] == '/')
            skip_line(lexer);
        else if (lexer->at[0] == '#' && stands_first(lexer) && lexer->at[1] == '!')
            skip_line(lexer);
        else if (lexer->at[0] == '#' && stands_first(lexer))
            pragma_line(lexer);
        else
            return;
    }
}

/* --- tokens --- */

static bool take_keyword(struct lexer *lexer, struct token *token, const char *end) {
    size_t length = (size_t)(end - lexer->at);
    for (size_t i = 0; i < sizeof keywords / sizeof *keywords; i++) {
        if (lexer->state == LEXER_OUTSIDE && !keywords[i].outside)
            continue;
        if (strlen(keywords[i].text) != length || memcmp(keywords[i].text, lexer->at, length) != 0)
            continue;
        token->kind = keywords[i].kind;
        show(lexer, lexer->at, end);
        advance(lexer, end);
        lexer->state = LEXER_EXPRESSION;
        return true;
    }
    return false;
}

/* "int*" may begin a description or a declaration: a type's name without ':' behind it is a type. */
static bool take_type_outside(struct lexer *lexer, struct token *token, const char *end) {
    if (lexer->settings->sources[lexer->source].whole_description ||
        memchr(lexer->at, ':', (size_t)(end - lexer->at)))
        return false;
    const char *star = memchr(lexer->at, '*', (size_t)(end - lexer->at));
    if (star && star > lexer->at)
        end = star;
    if (take_keyword(lexer, token, end))
        return true;
    const char *text = memory_copy(lexer->output->memory, lexer->at, (size_t)(end - lexer->at));
    if (!is_name(text) || !lexer_type(lexer, text))
        return false;
    token->kind = TOKEN_TYPE_NAME;
    token->text = text;
    show(lexer, lexer->at, end);
    advance(lexer, end);
    lexer->state = LEXER_EXPRESSION;
    return true;
}

static void take_character_token(struct lexer *lexer, struct token *token) {
    token->kind = (unsigned char)*lexer->at;
    show(lexer, lexer->at, lexer->at + 1);
    advance(lexer, lexer->at + 1);
}

static void next_outside(struct lexer *lexer, struct token *token) {
    char c = *lexer->at;
    if (digit_of(c) < 10) {
        take_integer(lexer, token, integer_end(lexer->at));
        return;
    }
    if (is_description_start(c)) {
        const char *end = lexer->at;
        while (is_description_part(*end))
            end++;
        const char *word = lexer->at;
        while (is_name_part(*word))
            word++;
        if ((word == end && take_keyword(lexer, token, end)) || take_type_outside(lexer, token, end))
            return;
        token->kind = TOKEN_DESCRIPTION;
        token->text = memory_copy(lexer->output->memory, lexer->at, (size_t)(end - lexer->at));
        show(lexer, lexer->at, end);
        advance(lexer, end);
        return;
    }
    if (c == '{' || c == '/')
        lexer->state = LEXER_EXPRESSION;
    lexer->braces += c == '{';
    show(lexer, lexer->at, lexer->at + 1);
    if (!strchr("{/,", c))
        lexer_syntax_error(lexer);
    take_character_token(lexer, token);
}

/* '/' ends a predicate when nothing that could be divided by follows. */
static void take_slash(struct lexer *lexer, struct token *token) {
    const char *next = lexer->at + 1 + strspn(lexer->at + 1, blanks);
    lexer->end_seen |= next == lexer->end;
    take_character_token(lexer, token);
    if (next > lexer->at)
        advance(lexer, next); /* as DTrace's scanner, which has counted these lines already */
    else
        show(lexer, lexer->shown, lexer->end);
    if (*next != '\0' && !strchr(";{/", *next))
        return;
    if (lexer->parentheses != 0)
        lexer_fail(lexer, "closing ) expected in predicate before /");
    if (lexer->brackets != 0)
        lexer_fail(lexer, "closing ] expected in predicate before /");
    token->kind = TOKEN_PREDICATE_END;
}

static void count_bracket(struct lexer *lexer, char c) {
    int *open = strchr("()", c) ? &lexer->parentheses : strchr("[]", c) ? &lexer->brackets : &lexer->braces;
    *open += strchr("([{", c) ? 1 : -1;
    if (*open < 0)
        lexer_fail(lexer, "extra %c in input stream", c);
}

static bool take_operator(struct lexer *lexer, struct token *token) {
    for (size_t i = 0; i < sizeof operators / sizeof *operators; i++) {
        size_t length = strlen(operators[i].text);
        if (strncmp(lexer->at, operators[i].text, length) != 0)
            continue;
        token->kind = operators[i].kind;
        show(lexer, lexer->at, lexer->at + length);
        advance(lexer, lexer->at + length);
        return true;
    }
    return false;
}

static void take_aggregation(struct lexer *lexer, struct token *token) {
    const char *end = lexer->at + 1;
    if (is_name_start(*end) && *end != '`')
        while (is_name_part(*end) && *end != '`')
            end++;
    token->kind = TOKEN_AGGREGATION;
    token->text = end == lexer->at + 1
                      ? "_"
                      : memory_copy(lexer->output->memory, lexer->at + 1, (size_t)(end - lexer->at - 1));
    show(lexer, lexer->at, end);
    advance(lexer, end);
}

static void take_word(struct lexer *lexer, struct token *token) {
    const char *end = lexer->at;
    while (is_name_part(*end))
        end++;
    if (take_keyword(lexer, token, end))
        return;
    const char *text = memory_copy(lexer->output->memory, lexer->at, (size_t)(end - lexer->at));
    show(lexer, lexer->at, end);
    advance(lexer, end);
    take_name(lexer, token, text);
}

static void next_in_expression(struct lexer *lexer, struct token *token) {
    char c = *lexer->at;
    const char *real = digit_of(c) < 10 || c == '.' ? float_end(lexer->at) : NULL;
    if (digit_of(c) < 10 && (!real || integer_end(lexer->at) >= real)) {
        take_integer(lexer, token, integer_end(lexer->at));
    } else if (real) {
        show(lexer, lexer->at, real);
        lexer_fail(lexer, "floating-point constants are not permitted");
    } else if (is_name_start(c)) {
        take_word(lexer, token);
    } else if (c == '"') {
        take_string(lexer, token);
    } else if (c == '\'') {
        take_character(lexer, token);
    } else if (c == '@') {
        take_aggregation(lexer, token);
    } else if (c == '$' && take_macro(lexer, token)) {
        return;
    } else if (take_operator(lexer, token)) {
        return;
    } else if (c == '/') {
        take_slash(lexer, token);
    } else {
        show(lexer, lexer->at, lexer->at + 1);
        if (!strchr("+-*%&|^~!<>=,?:.;()[]{}", c))
            lexer_syntax_error(lexer);
        take_character_token(lexer, token);
        if (strchr("()[]{}", c))
            count_bracket(lexer, c);
    }
}

void lexer_init(struct lexer *lexer, const char *text, const char *end) {
    lexer->at = lexer->line_start = lexer->shown = text;
    lexer->end = end;
    lexer->line = 1;
    lexer->state = LEXER_OUTSIDE;
    lexer->pragmas_end = &lexer->pragmas;
}

void lexer_next(struct lexer *lexer, struct token *token) {
    skip(lexer);
    *token = (struct token){
        .start = lexer->at, .line = lexer->line, .column = (unsigned)(lexer->at - lexer->line_start) + 1};
    if (lexer->at == lexer->end)
        show(lexer, lexer->at, lexer->at);
    else if (lexer->state == LEXER_OUTSIDE)
        next_outside(lexer, token);
    else
        next_in_expression(lexer, token);
    token->length = (size_t)(lexer->at - token->start);
    lexer->previous = token->kind;
}
