/*
 * pragma.c: control lines. Options are set at once, since some change how the text behind them is read; what
 * concerns names is remembered until the names are known.
 */
#include "pragma.h"
#include "lexer.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* A word of a control line. */
struct word {
    struct word *next;
    const char *text;
    bool is_string, is_number;
};

struct directive {
    const char *name;
    void (*obey)(struct lexer *lexer, const struct directive *directive, const struct word *arguments);
};

static bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\f' || c == '\v' || c == '\r';
}

/* The end of a quoted string that begins at `at`; fails when the line ends before it does. */
static const char *string_end(struct lexer *lexer, const char *at) {
    for (at++; *at != '"'; at++) {
        if (*at == '\\' && at[1] != '\n' && at[1] != '\0')
            at++;
        else if (*at == '\n' || *at == '\0')
            lexer_fail(lexer, "newline encountered in string literal");
    }
    return at + 1;
}

/* The words up to the end of the line, and in `end` where that is. */
static struct word *read_words(struct lexer *lexer, const char *at, const char **end) {
    struct word *first = NULL, **last = &first;
    for (;;) {
        while (is_space(*at))
            at++;
        if (*at == '\n')
            break;
        if (*at == '\0')
            lexer_fail(lexer, "end-of-file encountered before end of control line");
        struct word *word = memory_allocate(lexer->output->memory, sizeof *word);
        const char *start = at;
        if (*at == '"') {
            at = string_end(lexer, at);
            lexer_unescape(lexer->output->memory, start + 1, (size_t)(at - start - 2), &word->text);
            word->is_string = true;
        } else {
            word->is_number = isdigit((unsigned char)*at);
            while (*at != '\0' && *at != '\n' && *at != '"' && !is_space(*at)) {
                word->is_number &= isdigit((unsigned char)*at) != 0;
                at++;
            }
            word->text = memory_copy(lexer->output->memory, start, (size_t)(at - start));
        }
        *last = word;
        last = &word->next;
    }
    *end = at;
    return first;
}

/* As the preprocessor calls what it is given: the script itself. */
static bool is_standard_input(const char *name) {
    static const char *const names[] = {"<stdin>", "/dev/stdin", "/dev/fd/0", ""};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

/* # 12 "file": the next line is line 12 of that file. */
static void obey_line(struct lexer *lexer, const struct directive *directive, const struct word *arguments) {
    if (!arguments || !arguments->is_number || (arguments->next && !arguments->next->is_string))
        lexer_fail(lexer, "malformed #line <line> [ [\"file\"] state ]");
    /* then its '\n' is passed; DTrace counts that when the word "line" is there */
    lexer->line = (unsigned)strtoul(arguments->text, NULL, 10) - (directive ? 0 : 1);
    if (arguments->next)
        lexer->file = is_standard_input(arguments->next->text) ? NULL : arguments->next->text;
}

static void obey_error(struct lexer *lexer, const struct directive *directive, const struct word *arguments) {
    char text[512] = "";
    (void)directive;
    for (size_t n = 0; arguments && n < sizeof text - 1; arguments = arguments->next)
        n += (size_t)snprintf(text + n, sizeof text - n, "%s ", arguments->text);
    lexer_fail(lexer, "#error: %s", text);
}

static void obey_nothing(struct lexer *lexer, const struct directive *directive,
                         const struct word *arguments) {
    (void)lexer;
    (void)directive;
    (void)arguments;
}

static void obey_option(struct lexer *lexer, const struct directive *directive,
                        const struct word *arguments) {
    if (!arguments || arguments->is_string)
        lexer_fail(lexer, "malformed #pragma %s <option>=<val>", directive->name);
    if (arguments->next)
        lexer_fail(lexer, "superfluous arguments specified for #pragma %s", directive->name);
    const char *problem = dlang_option(lexer->output->options, arguments->text, true);
    if (!problem)
        return;
    const char *value = strchr(arguments->text, '=');
    if (!value)
        lexer_fail(lexer, "failed to set option '%.200s': %s", arguments->text, problem);
    lexer_fail(lexer, "failed to set option '%.*s' to '%.200s': %s", (int)(value - arguments->text),
               arguments->text, value + 1, problem);
}

/* What a program asks to be there. */
static void obey_depends(struct lexer *lexer, const struct directive *directive,
                         const struct word *arguments) {
    if (!arguments || !arguments->next)
        lexer_fail(lexer, "malformed #pragma %s <class> <name>", directive->name);
    if (arguments->next->next)
        lexer_fail(lexer, "superfluous arguments specified for #pragma %s", directive->name);
    const char *class = arguments->text, *name = arguments->next->text;
    const struct dlang_probes *probes = &lexer->settings->probes;
    unsigned found;
    if (strcmp(class, "library") == 0)
        lexer_fail(lexer, "main program may not explicitly depend on a library");
    else if (strcmp(class, "provider") == 0)
        found = probes->match(probes->context, name, "", "", "");
    else if (strcmp(class, "module") == 0)
        found = strcmp(name, "vmlinux") == 0; /* a process has modules that come and go */
    else
        lexer_fail(lexer, "invalid class %.100s specified by #pragma %s", class, directive->name);
    if (found == 0)
        lexer_fail(lexer, "program requires %s %.400s", class, name);
}

/* Remembers that `name`, or else `provider`, must be declared; lexer.h: pragmas. */
static void expect_name(struct lexer *lexer, const struct directive *directive, const char *name,
                        const char *provider) {
    struct node *pragma = memory_allocate(lexer->output->memory, sizeof *pragma);
    pragma->kind = NODE_PRAGMA;
    pragma->text = directive->name;
    pragma->line = lexer->line;
    pragma->source = (unsigned)lexer->source;
    pragma->parts[0] = provider;
    pragma->parts[3] = name;
    *lexer->pragmas_end = pragma;
    lexer->pragmas_end = &pragma->next;
}

/* Name/data/dependency, each a word of its table, in any case. */
static bool is_attributes(const char *text) {
    static const char *const stabilities[] = {"Internal", "Private",  "Obsolete", "External",
                                              "Unstable", "Evolving", "Stable",   "Standard"};
    static const char *const classes[] = {"Unknown", "CPU", "Platform", "Group", "ISA", "Common"};
    for (int part = 0; part < 3; part++) {
        const char *const *names = part < 2 ? stabilities : classes;
        size_t count = part < 2 ? sizeof stabilities / sizeof *stabilities : sizeof classes / sizeof *classes;
        size_t length = strcspn(text, "/"), i = 0;
        while (i < count && (strlen(names[i]) != length || strncasecmp(names[i], text, length) != 0))
            i++;
        if (i == count || (text[length] != '/' && text[length] != '\0'))
            return false;
        if (text[length] == '\0')
            return true; /* the rest is as it was */
        text += length + 1;
    }
    return false;
}

/* provider NAME PART; DTrace's message has them the other way round. */
static void expect_provider(struct lexer *lexer, const struct directive *directive,
                            const struct word *arguments) {
    static const char *const parts[] = {"provider", "module", "function", "name", "args"};
    const char *name = arguments->text, *part = arguments->next->text;
    size_t i = 0;
    while (i < sizeof parts / sizeof *parts && strcmp(parts[i], part) != 0)
        i++;
    if (i == sizeof parts / sizeof *parts)
        lexer_fail(lexer, "invalid component \"%.200s\" in attribute #pragma for provider %.200s", name,
                   part);
    expect_name(lexer, directive, NULL, name);
}

/* Stabilities of names and of providers: nothing here depends on them. */
static void obey_attributes(struct lexer *lexer, const struct directive *directive,
                            const struct word *arguments) {
    if (!arguments || !arguments->next)
        lexer_fail(lexer, "malformed #pragma %s <attributes> <ident>", directive->name);
    if (!is_attributes(arguments->text))
        lexer_fail(lexer, "invalid attributes specified by #pragma %s", directive->name);
    arguments = arguments->next;
    if (strcmp(arguments->text, "provider") == 0 && arguments->next && arguments->next->next)
        expect_provider(lexer, directive, arguments->next);
    else
        expect_name(lexer, directive, arguments->text, NULL);
}

static bool is_version(const char *text) {
    unsigned numbers = 0;
    for (;; text++) {
        size_t digits = strspn(text, "0123456789");
        text += digits;
        numbers++;
        if (digits == 0 || *text != '.')
            return digits > 0 && *text == '\0' && numbers >= 2 && numbers <= 3;
    }
}

static void obey_binding(struct lexer *lexer, const struct directive *directive,
                         const struct word *arguments) {
    if (!arguments || !arguments->next || !arguments->is_string)
        lexer_fail(lexer, "malformed #pragma %s \"version\" <ident>", directive->name);
    if (!is_version(arguments->text))
        lexer_fail(lexer, "invalid version string specified by #pragma %s", directive->name);
    if (arguments->next->next)
        lexer_fail(lexer, "superfluous arguments specified for #pragma %s", directive->name);
    expect_name(lexer, directive, arguments->next->text, NULL);
}

static const struct directive d_pragmas[] = {
    {"attributes", obey_attributes}, {"binding", obey_binding}, {"depends_on", obey_depends},
    {"error", obey_error},           {"ident", obey_nothing},   {"line", obey_line},
    {"option", obey_option},
};

/* Other tools' pragmas are none of D's business, but for what is a directive of its own, too. */
static void obey_plain(struct lexer *lexer, const struct word *words) {
    static const struct directive plain[] = {{"error", obey_error}, {"line", obey_line}};
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
        if (strcmp(plain[i].name, words->text) == 0)
            plain[i].obey(lexer, &plain[i], words->next);
}

static void obey_pragma(struct lexer *lexer, const struct directive *directive,
                        const struct word *arguments) {
    (void)directive;
    if (!arguments)
        return;
    if (strcmp(arguments->text, "D") != 0) {
        obey_plain(lexer, arguments);
        return;
    }
    const struct word *name = arguments->next;
    if (!name)
        return;
    for (size_t i = 0; i < sizeof d_pragmas / sizeof *d_pragmas; i++)
        if (strcmp(d_pragmas[i].name, name->text) == 0) {
            d_pragmas[i].obey(lexer, &d_pragmas[i], name->next);
            return;
        }
    lexer_fail(lexer, "invalid D pragma: %.400s", name->text);
}

static const struct directive directives[] = {
    {"error", obey_error},
    {"ident", obey_nothing},
    {"line", obey_line},
    {"pragma", obey_pragma},
};

static void obey(struct lexer *lexer, const struct word *words) {
    if (!words)
        return;
    if (words->is_number) {
        obey_line(lexer, NULL, words);
        return;
    }
    for (size_t i = 0; i < sizeof directives / sizeof *directives; i++)
        if (strcmp(directives[i].name, words->text) == 0) {
            directives[i].obey(lexer, &directives[i], words->next);
            return;
        }
    lexer_fail(lexer, "invalid control directive: #%.400s", words->text);
}

void pragma_line(struct lexer *lexer) {
    const char *end;
    struct word *words = read_words(lexer, lexer->at + 1, &end);
    lexer->shown = lexer->at;
    obey(lexer, words);
    lexer->at = end + 1;
    lexer->line_start = lexer->at;
    lexer->line++;
}
