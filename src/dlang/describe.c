/*
 * describe.c: probe descriptions: up to four parts between colons, of which the last ones are given, with
 * macros in them.
 */
#include "parser.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Bytes of a part, with the '\0', as in DTrace. */
static const size_t limits[4] = {64, 64, 128, 64};

/* Of the provider dtrace, by their ids, which are the same everywhere. */
static const char *const own_probes[] = {"BEGIN", "END", "ERROR"};

/* Which part the last one is, by the option that gave the description. */
static int last_part(char kind) {
    static const char kinds[] = "Pmf";
    const char *at = kind ? strchr(kinds, kind) : NULL;
    return at ? (int)(at - kinds) : 3;
}

static _Noreturn void refuse(struct parser *parser, const char *description, const char *why) {
    lexer_fail(&parser->lexer, "invalid probe description \"%.400s\": %s", description, why);
}

/* The text that the macro at `at` (behind its first '$') stands for; NULL: none is defined. */
static const char *macro_text(struct parser *parser, const char *at, size_t length) {
    const struct dlang_settings *settings = parser->lexer.settings;
    if (isdigit((unsigned char)*at)) {
        errno = 0;
        unsigned long index = strtoul(at, NULL, 10);
        if (errno || index > settings->argument_count)
            return NULL;
        parser->lexer.output->macros->used[index] = true;
        return index == 0 ? "dtrace" : settings->arguments[index - 1];
    }
    int64_t value;
    if (!macro_variable(settings, at, length, &value))
        return NULL;
    return memory_print(parser->memory, "%d", (int)value);
}

/* One part with its macros replaced. */
static const char *expand(struct parser *parser, const char *description, const char *part, size_t length,
                          size_t limit) {
    char expanded[256] = "";
    size_t n = 0;
    for (const char *at = part, *end = part + length; at < end;) {
        const char *text = at;
        size_t size = 1;
        if (*at == '$') {
            const char *name = at + 1 + (at[1] == '$');
            const char *behind = name;
            if (isdigit((unsigned char)*name))
                while (behind < end && isdigit((unsigned char)*behind))
                    behind++;
            else
                while (behind < end && (isalnum((unsigned char)*behind) || *behind == '_'))
                    behind++;
            text = macro_text(parser, name, (size_t)(behind - name));
            if (!text)
                refuse(parser, description, "Undefined macro variable in probe description");
            size = strlen(text);
            at = behind;
        } else {
            at++;
        }
        if (n + size >= limit)
            refuse(parser, description, "Probe description component is too long");
        memcpy(expanded + n, text, size);
        n += size;
    }
    return memory_copy(parser->memory, expanded, n);
}

struct node *parse_description(struct parser *parser, const struct token *token) {
    const struct lexer *lexer = &parser->lexer;
    struct node *node = parser_node(parser, NODE_DESCRIPTION, token);
    for (int i = 0; i < 4; i++)
        node->parts[i] = "";
    if (token->kind == TOKEN_INTEGER) {
        bool is_own = token->value >= 1 && token->value <= sizeof own_probes / sizeof *own_probes;
        node->value = is_own ? 0 : token->value;
        node->is_number = true;
        node->parts[0] = is_own ? "dtrace" : "";
        node->parts[3] = is_own ? own_probes[token->value - 1] : "";
        node->text = memory_print(parser->memory, "%llu", (unsigned long long)token->value);
        return node;
    }
    node->text = token->text;
    int part = last_part(lexer->settings->sources[lexer->source].kind);
    const char *end = token->text + strlen(token->text);
    for (const char *at = end;; at--) {
        if (at > token->text && at[-1] != ':')
            continue;
        if (part < 0)
            refuse(parser, token->text, "Overspecified probe description");
        node->parts[part] = expand(parser, token->text, at, (size_t)(end - at), limits[part]);
        part--;
        if (at == token->text)
            return node;
        end = at - 1;
    }
}
