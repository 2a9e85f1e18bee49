/*
 * parser.c: the outermost grammar of D: clauses, and what stands between them; and the look-ahead that all of
 * the parser shares.
 */
#include "parser.h"
#include "preprocess.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int parser_peek(struct parser *parser) {
    if (!parser->has_token) {
        lexer_next(&parser->lexer, &parser->token);
        parser->has_token = true;
    }
    return parser->token.kind;
}

struct token parser_take(struct parser *parser) {
    parser_peek(parser);
    parser->has_token = false;
    return parser->token;
}

bool parser_accept(struct parser *parser, int kind) {
    if (parser_peek(parser) != kind)
        return false;
    parser->has_token = false;
    return true;
}

struct token parser_expect(struct parser *parser, int kind) {
    if (parser_peek(parser) != kind)
        parser_syntax_error(parser);
    return parser_take(parser);
}

_Noreturn void parser_syntax_error(struct parser *parser) {
    parser_peek(parser);
    lexer_syntax_error(&parser->lexer);
}

void parser_enter(struct parser *parser) {
    if (++parser->nesting > PARSER_NESTING_MAX)
        lexer_fail(&parser->lexer, "expression is nested too deeply");
}

void parser_leave(struct parser *parser) {
    parser->nesting--;
}

struct node *parser_node(struct parser *parser, enum node_kind kind, const struct token *begin) {
    struct node *node = memory_allocate(parser->memory, sizeof *node);
    node->kind = kind;
    node->line = parser->lexer.line;
    node->column = begin && begin->line == node->line ? begin->column : 0;
    node->source = (unsigned)parser->lexer.source;
    node->file = parser->lexer.file;
    return node;
}

/* A member or a tag may have a keyword's name. */
const char *parser_member_name(struct parser *parser) {
    int kind = parser_peek(parser);
    if (kind != TOKEN_NAME && kind != TOKEN_TYPE_NAME && !token_is_keyword(kind))
        parser_syntax_error(parser);
    struct token token = parser_take(parser);
    return token.text ? token.text : token_text(kind);
}

/* --- clauses --- */

static struct node *parse_descriptions(struct parser *parser) {
    struct node *first = NULL, **last = &first;
    do {
        int kind = parser_peek(parser);
        if (kind != TOKEN_DESCRIPTION && kind != TOKEN_INTEGER)
            parser_syntax_error(parser);
        struct token token = parser_take(parser);
        *last = parse_description(parser, &token);
        last = &(*last)->next;
    } while (parser_accept(parser, ','));
    return first;
}

/* Up to the closing brace; empty statements leave nothing. */
static struct node *parse_statements(struct parser *parser) {
    struct node *first = NULL, **last = &first;
    for (;;) {
        int kind = parser_peek(parser);
        if (kind != ';' && kind != '}') {
            struct token begin = parser->token;
            struct node *expression = parse_expression(parser);
            struct node *statement = parser_node(parser, NODE_STATEMENT, &begin);
            statement->left = expression;
            *last = statement;
            last = &statement->next;
        }
        if (!parser_accept(parser, ';'))
            break;
    }
    return first;
}

/* A lone description is complete only where it has been typed as one: in a script the rest must have been
   taken for a comment, as in "BEGIN //". */
static struct node *parse_clause(struct parser *parser) {
    struct lexer *lexer = &parser->lexer;
    bool in_script = !lexer->settings->sources[lexer->source].whole_description;
    struct node *descriptions = parse_descriptions(parser);
    struct node *clause = parser_node(parser, NODE_CLAUSE, NULL);
    clause->line = descriptions->line;
    clause->column = descriptions->column;
    clause->list = descriptions;
    if (parser_accept(parser, '/')) {
        clause->condition = parse_expression(parser);
        parser_expect(parser, TOKEN_PREDICATE_END);
        if (parser_peek(parser) == '/')
            lexer_fail(lexer, "expected actions { } following probe description and predicate");
        if (parser_peek(parser) != '{')
            parser_syntax_error(parser);
    }
    clause->no_actions = parser_peek(parser) != '{';
    if (clause->no_actions && in_script)
        lexer_fail_at(lexer, clause->line, "expected predicate and/or actions following probe description");
    if (parser_accept(parser, '{')) {
        clause->right = parse_statements(parser);
        parser_expect(parser, '}');
    }
    lexer->state = LEXER_OUTSIDE;
    return clause;
}

/* --- the whole --- */

static struct node *parse_external(struct parser *parser) {
    int kind = parser_peek(parser);
    struct token begin = parser->token;
    switch (kind) {
    case TOKEN_DESCRIPTION:
    case TOKEN_INTEGER:
        return parse_clause(parser);
    case KEYWORD_INLINE:
        parser_take(parser);
        return parse_inline(parser);
    case KEYWORD_TRANSLATOR:
        parser_take(parser);
        return parse_translator(parser);
    case KEYWORD_PROVIDER:
        parser_take(parser);
        return parse_provider(parser);
    default:
        return parse_declaration(parser, &begin);
    }
}

/* Pragmas come into the list where they stand, as far as the look-ahead has seen. */
static struct node **take_pragmas(struct parser *parser, struct node **last) {
    struct lexer *lexer = &parser->lexer;
    if (!lexer->pragmas)
        return last;
    *last = lexer->pragmas;
    last = lexer->pragmas_end;
    lexer->pragmas = NULL;
    lexer->pragmas_end = &lexer->pragmas;
    return last;
}

static bool knows_provider(struct parser *parser, const struct node *list, const char *name) {
    const struct dlang_probes *probes = &parser->lexer.settings->probes;
    for (; list; list = list->next)
        if (list->kind == NODE_PROVIDER && strcmp(list->text, name) == 0)
            return true;
    return probes->match(probes->context, name, "", "", "") > 0;
}

/* #pragma D attributes and binding are about names that the program declares, or about providers. */
static void check_pragmas(struct parser *parser, const struct node *list) {
    struct lexer *lexer = &parser->lexer;
    for (const struct node *node = list; node; node = node->next) {
        if (node->kind != NODE_PRAGMA)
            continue;
        const char *name = node->parts[3], *provider = node->parts[0];
        if (provider ? !knows_provider(parser, list, provider) : !lexer_knows(lexer, name))
            lexer_fail_at(lexer, node->line, "unused #pragma %s", node->text);
        if (name && lexer_is_builtin(name))
            lexer_fail_at(lexer, node->line, "#pragma %s cannot modify entity defined outside program scope",
                          node->text);
    }
}

/* Declarations alone are no program. */
static void parse_program(struct parser *parser, struct node **list) {
    struct node **last = list;
    bool is_empty = true;
    *list = NULL;
    while (parser_peek(parser) != TOKEN_END) {
        last = take_pragmas(parser, last);
        *last = parse_external(parser);
        for (; *last; last = &(*last)->next)
            is_empty &= (*last)->kind != NODE_CLAUSE;
        parser->lexer.state = LEXER_OUTSIDE;
    }
    take_pragmas(parser, last);
    if (is_empty)
        lexer_fail(&parser->lexer, "empty D program translation unit");
    check_pragmas(parser, *list);
}

bool parse(const struct dlang_settings *settings, size_t source, const struct parser_output *output,
           struct node **list, unsigned *last_line, struct dlang_problem *problem) {
    jmp_buf failed;
    const char *text = settings->sources[source].text;
    if (settings->preprocessor && settings->sources[source].name) {
        text = preprocess(settings->preprocessor, &settings->sources[source], output->memory, problem->text,
                          sizeof problem->text);
        problem->source = source;
        if (!text)
            return false;
    }
    struct parser *parser = memory_allocate(output->memory, sizeof *parser);
    parser->memory = output->memory;
    parser->types = output->types;
    parser->lexer.settings = settings;
    parser->lexer.source = source;
    parser->lexer.output = output;
    parser->lexer.problem = problem;
    parser->lexer.failed = &failed;
    lexer_init(&parser->lexer, text, text + strlen(text));
    if (setjmp(failed))
        return false;
    parse_program(parser, list);
    *last_line = parser->lexer.line;
    return true;
}

bool macros_all_used(const struct dlang_settings *settings, const struct macros *macros, unsigned last_line,
                     struct dlang_problem *problem) {
    size_t last = settings->argument_count; /* those before it are not looked at */
    if (last == 0 || macros->used[last])
        return true;
    const struct dlang_source *source = &settings->sources[settings->source_count - 1];
    char place[32] = "";
    if (!source->whole_description)
        snprintf(place, sizeof place, "line %u: ", last_line);
    snprintf(problem->text, sizeof problem->text, "%sextraneous argument '%.400s' ($%zu is not referenced)",
             place, settings->arguments[last - 1], last);
    problem->source = settings->source_count - 1;
    problem->line = last_line;
    problem->column = 0;
    return false;
}
