/*
 * expression.c: the expressions of D: C's, with ^^, @aggregations, associative arrays, stringof and xlate.
 */
#include "parser.h"

#include <string.h>

/* How tightly binary operators bind; all of them group from the left. */
static const struct {
    int op;
    int strength;
} binary_operators[] = {
    {TOKEN_LOGICAL_OR, 1},
    {TOKEN_LOGICAL_XOR, 2},
    {TOKEN_LOGICAL_AND, 3},
    {'|', 4},
    {'^', 5},
    {'&', 6},
    {TOKEN_EQUAL, 7},
    {TOKEN_NOT_EQUAL, 7},
    {'<', 8},
    {'>', 8},
    {TOKEN_LESS_EQUAL, 8},
    {TOKEN_GREATER_EQUAL, 8},
    {TOKEN_SHIFT_LEFT, 9},
    {TOKEN_SHIFT_RIGHT, 9},
    {'+', 10},
    {'-', 10},
    {'*', 11},
    {'/', 11},
    {'%', 11},
};

static const int assignment_operators[] = {
    '=',
    TOKEN_ADD_ASSIGN,
    TOKEN_SUBTRACT_ASSIGN,
    TOKEN_MULTIPLY_ASSIGN,
    TOKEN_DIVIDE_ASSIGN,
    TOKEN_REMAINDER_ASSIGN,
    TOKEN_AND_ASSIGN,
    TOKEN_XOR_ASSIGN,
    TOKEN_OR_ASSIGN,
    TOKEN_SHIFT_LEFT_ASSIGN,
    TOKEN_SHIFT_RIGHT_ASSIGN,
};

static const int prefix_operators[] = {'&', '*', '+', '-', '~', '!', TOKEN_INCREMENT, TOKEN_DECREMENT};

static int strength_of(int op) {
    for (size_t i = 0; i < sizeof binary_operators / sizeof *binary_operators; i++)
        if (binary_operators[i].op == op)
            return binary_operators[i].strength;
    return 0;
}

static bool is_among(int token, const int *set, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (set[i] == token)
            return true;
    return false;
}

static unsigned depth_of(const struct node *node) {
    return node ? node->depth : 0;
}

/* A node over up to three others and a list. */
static struct node *over(struct parser *parser, struct node *node) {
    unsigned depth = depth_of(node->left);
    if (depth_of(node->right) > depth)
        depth = depth_of(node->right);
    if (depth_of(node->condition) > depth)
        depth = depth_of(node->condition);
    for (const struct node *item = node->list; item; item = item->next)
        if (item->depth > depth)
            depth = item->depth;
    node->depth = depth + 1;
    if (node->depth > PARSER_DEPTH_MAX)
        lexer_fail(&parser->lexer, "expression is nested too deeply");
    return node;
}

/* One that begins where `first` does. */
static struct node *node_from(struct parser *parser, enum node_kind kind, const struct node *first) {
    struct node *node = parser_node(parser, kind, NULL);
    node->column = first->line == node->line ? first->column : 0;
    return node;
}

static struct node *binary(struct parser *parser, enum node_kind kind, int op, struct node *left,
                           struct node *right) {
    struct node *node = node_from(parser, kind, left);
    node->op = op;
    node->left = left;
    node->right = right;
    return over(parser, node);
}

static struct node *prefix(struct parser *parser, const struct token *op, struct node *operand) {
    struct node *node = parser_node(parser, NODE_UNARY, op);
    node->op = op->kind;
    node->left = operand;
    return over(parser, node);
}

static struct node *parse_list(struct parser *parser) {
    struct node *first = NULL, **last = &first;
    do {
        *last = parse_assignment(parser);
        last = &(*last)->next;
    } while (parser_accept(parser, ','));
    return first;
}

/* --- primary expressions --- */

static struct node *integer(struct parser *parser, const struct token *token) {
    struct node *node = parser_node(parser, NODE_INTEGER, token);
    node->value = token->value;
    node->type = type_of_constant(parser->types, token->value, token->decimal, token->suffix);
    node->is_constant = true;
    if (!node->type)
        lexer_fail(&parser->lexer,
                   "integer constant 0x%llx cannot be represented in any built-in integral type",
                   (unsigned long long)token->value);
    if (!token->sign)
        return node;
    struct token sign = *token;
    sign.kind = (unsigned char)token->sign;
    return prefix(parser, &sign, node);
}

static struct node *named(struct parser *parser, enum node_kind kind, const struct token *token) {
    struct node *node = parser_node(parser, kind, token);
    node->text = token->text;
    node->text_length = kind == NODE_STRING ? token->text_length : strlen(token->text);
    return node;
}

/* A keyword that an expression can begin with. "self" alone is a name that nobody can resolve. */
static struct node *parse_scope(struct parser *parser, const struct token *keyword, enum node_scope scope) {
    struct token token = *keyword;
    token.text = token_text(keyword->kind);
    if (parser_peek(parser) != TOKEN_ARROW)
        return named(parser, NODE_NAME, &token);
    parser_take(parser);
    token.text = parser_member_name(parser);
    struct node *node = named(parser, NODE_NAME, &token);
    node->scope = scope;
    return node;
}

static struct node *parse_offsetof(struct parser *parser, const struct token *begin) {
    parser_expect(parser, '(');
    const struct type *type = parse_type_name(parser);
    parser_expect(parser, ',');
    const char *member = parser_member_name(parser);
    parser_expect(parser, ')');
    struct node *node = parser_node(parser, NODE_OFFSETOF, begin);
    node->type = type;
    node->text = member;
    return node;
}

static struct node *parse_xlate(struct parser *parser, const struct token *begin) {
    parser_expect(parser, '<');
    const struct type *type = parse_type_name(parser);
    parser_expect(parser, '>');
    parser_expect(parser, '(');
    struct node *operand = parse_expression(parser);
    parser_expect(parser, ')');
    struct node *node = parser_node(parser, NODE_XLATE, begin);
    node->type = type;
    node->left = operand;
    return over(parser, node);
}

static struct node *close_parenthesis(struct parser *parser) {
    struct node *node = parse_expression(parser);
    parser_expect(parser, ')');
    node->parenthesized = true;
    return node;
}

static struct node *parse_primary(struct parser *parser) {
    int kind = parser_peek(parser);
    struct token token = parser->token;
    switch (kind) {
    case TOKEN_NAME:
        parser_take(parser);
        return named(parser, strchr(token.text, '`') ? NODE_SYMBOL : NODE_NAME, &token);
    case TOKEN_AGGREGATION:
        parser_take(parser);
        return named(parser, NODE_AGGREGATION, &token);
    case TOKEN_STRING:
        parser_take(parser);
        return named(parser, NODE_STRING, &token);
    case TOKEN_INTEGER:
        parser_take(parser);
        return integer(parser, &token);
    case KEYWORD_SELF:
        parser_take(parser);
        return parse_scope(parser, &token, NODE_THREAD);
    case KEYWORD_THIS:
        parser_take(parser);
        return parse_scope(parser, &token, NODE_LOCAL);
    case KEYWORD_OFFSETOF:
        parser_take(parser);
        return parse_offsetof(parser, &token);
    case KEYWORD_XLATE:
        parser_take(parser);
        return parse_xlate(parser, &token);
    case '(':
        parser_take(parser);
        return close_parenthesis(parser);
    default:
        parser_syntax_error(parser);
    }
}

/* --- postfix, prefix, casts --- */

static struct node *parse_index(struct parser *parser, struct node *left) {
    struct node *list = parse_list(parser);
    parser_expect(parser, ']');
    bool is_key = left->kind == NODE_AGGREGATION && !left->list && !left->parenthesized;
    struct node *node = is_key ? left : node_from(parser, NODE_ARRAY, left);
    if (!is_key)
        node->left = left;
    node->list = list;
    return over(parser, node);
}

static struct node *parse_call(struct parser *parser, struct node *left) {
    struct node *list = parser_peek(parser) == ')' ? NULL : parse_list(parser);
    parser_expect(parser, ')');
    if (left->kind == NODE_CALL && !lexer_is_taken(&parser->lexer, left->text))
        lexer_fail(&parser->lexer, "undefined function name: %s", left->text);
    if (left->kind != NODE_NAME || left->scope != NODE_GLOBAL)
        lexer_fail(&parser->lexer, "function designator is not of function type");
    struct node *node = node_from(parser, NODE_CALL, left);
    node->text = left->text;
    node->list = list;
    return over(parser, node);
}

static struct node *parse_member(struct parser *parser, enum node_kind kind, struct node *left) {
    const char *name = parser_member_name(parser);
    struct node *node = node_from(parser, kind, left);
    node->left = left;
    node->text = name;
    return over(parser, node);
}

/* What may follow a primary expression, from the left. */
static struct node *parse_postfix(struct parser *parser, struct node *node) {
    for (;;) {
        int kind = parser_peek(parser);
        switch (kind) {
        case '[':
            parser_take(parser);
            node = parse_index(parser, node);
            break;
        case '(':
            parser_take(parser);
            node = parse_call(parser, node);
            break;
        case '.':
            parser_take(parser);
            node = parse_member(parser, NODE_MEMBER, node);
            break;
        case TOKEN_ARROW:
            parser_take(parser);
            node = parse_member(parser, NODE_ARROW, node);
            break;
        case TOKEN_INCREMENT:
        case TOKEN_DECREMENT:
            parser_take(parser);
            node = binary(parser, NODE_POSTFIX, kind, node, NULL);
            break;
        default:
            return node;
        }
    }
}

static struct node *parse_cast(struct parser *parser, bool *is_unary);
static struct node *parse_unary(struct parser *parser);

static struct node *parse_sizeof(struct parser *parser, const struct token *begin) {
    if (!parser_accept(parser, '('))
        return prefix(parser, begin, parse_unary(parser));
    if (!parser_at_type(parser))
        return prefix(parser, begin, parse_postfix(parser, close_parenthesis(parser)));
    const struct type *type = parse_type_name(parser);
    parser_expect(parser, ')');
    struct node *node = parser_node(parser, NODE_SIZEOF, begin);
    node->type = type;
    return node;
}

static struct node *parse_prefix(struct parser *parser) {
    struct token op = parser_take(parser);
    bool is_unary;
    if (op.kind == TOKEN_INCREMENT || op.kind == TOKEN_DECREMENT)
        return prefix(parser, &op, parse_unary(parser));
    return prefix(parser, &op, parse_cast(parser, &is_unary));
}

static struct node *parse_unary(struct parser *parser) {
    struct node *node;
    int kind = parser_peek(parser);
    parser_enter(parser);
    if (is_among(kind, prefix_operators, sizeof prefix_operators / sizeof *prefix_operators)) {
        node = parse_prefix(parser);
    } else if (kind == KEYWORD_SIZEOF) {
        struct token begin = parser_take(parser);
        node = parse_sizeof(parser, &begin);
    } else if (kind == KEYWORD_STRINGOF) {
        struct token begin = parser_take(parser);
        node = prefix(parser, &begin, parse_unary(parser));
    } else {
        node = parse_postfix(parser, parse_primary(parser));
    }
    parser_leave(parser);
    return node;
}

/* `is_unary`: the result may stand left of an assignment, as far as the grammar goes. */
static struct node *parse_cast(struct parser *parser, bool *is_unary) {
    *is_unary = true;
    if (parser_peek(parser) != '(')
        return parse_unary(parser);
    parser_enter(parser);
    struct token begin = parser_take(parser);
    struct node *node;
    if (parser_at_type(parser)) {
        const struct type *type = parse_type_name(parser);
        parser_expect(parser, ')');
        bool ignored;
        struct node *operand = parse_cast(parser, &ignored);
        node = parser_node(parser, NODE_CAST, &begin);
        node->type = type;
        node->left = operand;
        over(parser, node);
        *is_unary = false;
    } else {
        node = parse_postfix(parser, close_parenthesis(parser));
    }
    parser_leave(parser);
    return node;
}

/* --- operators --- */

/* All operators that bind at least as tightly as `weakest`, right of `left`. */
static struct node *parse_binary(struct parser *parser, struct node *left, int weakest) {
    for (;;) {
        int op = parser_peek(parser), strength = strength_of(op);
        if (strength == 0 || strength < weakest)
            return left;
        parser_take(parser);
        bool ignored;
        struct node *right = parse_cast(parser, &ignored);
        right = parse_binary(parser, right, strength + 1);
        left = binary(parser, NODE_BINARY, op, left, right);
    }
}

static struct node *parse_ternary(struct parser *parser, struct node *condition) {
    condition = parse_binary(parser, condition, 1);
    if (!parser_accept(parser, '?'))
        return condition;
    struct node *left = parse_expression(parser);
    parser_expect(parser, ':');
    struct node *right = parse_conditional(parser);
    struct node *node = binary(parser, NODE_TERNARY, '?', left, right);
    node->column = condition->line == node->line ? condition->column : 0;
    node->condition = condition;
    return over(parser, node);
}

struct node *parse_conditional(struct parser *parser) {
    bool ignored;
    parser_enter(parser);
    struct node *first = parse_cast(parser, &ignored);
    struct node *node = parse_ternary(parser, first);
    parser_leave(parser);
    return node;
}

struct node *parse_assignment(struct parser *parser) {
    bool is_unary;
    parser_enter(parser);
    struct node *node = parse_cast(parser, &is_unary);
    int op = parser_peek(parser);
    if (is_unary &&
        is_among(op, assignment_operators, sizeof assignment_operators / sizeof *assignment_operators)) {
        parser_take(parser);
        struct node *value = parse_assignment(parser);
        node = binary(parser, NODE_ASSIGN, op, node, value);
    } else {
        node = parse_ternary(parser, node);
    }
    parser_leave(parser);
    return node;
}

struct node *parse_expression(struct parser *parser) {
    struct node *node = parse_assignment(parser);
    while (parser_accept(parser, ',')) {
        struct node *right = parse_assignment(parser);
        node = binary(parser, NODE_BINARY, ',', node, right);
    }
    return node;
}
