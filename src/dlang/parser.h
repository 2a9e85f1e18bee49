/*
 * parser.h: what the files of the parser share: one token of look-ahead, read only when it is needed (the
 * line of a node is where the lexer stands when it is made), nodes, and the way to a syntax error.
 */
#ifndef DLANG_PARSER_H
#define DLANG_PARSER_H

#include "lexer.h"
#include "node.h"

struct parser {
    struct lexer lexer;
    struct token token; /* the next one, when has_token */
    bool has_token;
    unsigned nesting; /* open brackets, at most PARSER_NESTING_MAX */
    struct memory *memory;
    struct types *types;
};

/* parser.c */
int parser_peek(struct parser *parser);                      /* the kind of the next token */
struct token parser_take(struct parser *parser);             /* reads it */
bool parser_accept(struct parser *parser, int kind);         /* reads it if it is of this kind */
struct token parser_expect(struct parser *parser, int kind); /* else a syntax error */
_Noreturn void parser_syntax_error(struct parser *parser);   /* at the next token */
void parser_enter(struct parser *parser);                    /* one level deeper; fails when too deep */
void parser_leave(struct parser *parser);
struct node *parser_node(struct parser *parser, enum node_kind kind, const struct token *begin);
const char *parser_member_name(struct parser *parser); /* a name, or a keyword that may be one */

/* expression.c */
struct node *parse_expression(struct parser *parser);
struct node *parse_assignment(struct parser *parser);  /* an expression without a comma */
struct node *parse_conditional(struct parser *parser); /* nor an assignment: a constant one */

/* declare.c */
bool parser_at_type(struct parser *parser); /* does a type begin here? */
const struct type *parse_type_name(struct parser *parser);
struct node *parse_declaration(struct parser *parser, struct token *begin); /* a list, perhaps empty */
struct node *parse_inline(struct parser *parser);
struct node *parse_translator(struct parser *parser);
struct node *parse_provider(struct parser *parser);

/* describe.c: the parts of a probe description, macros replaced. */
struct node *parse_description(struct parser *parser, const struct token *token);

#endif
