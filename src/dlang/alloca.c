/*
 * alloca.c: which values are addresses of the program's own memory, from alloca() and copyin(). DTrace keeps
 * them apart from all other addresses, since its two kinds of memory are read and written by different means:
 * a variable holds one kind throughout, and bcopy() and copyinto() write to that memory alone. The engine
 * would not mind.
 */
#include "calls.h"
#include "compile.h"

static bool call_gives_alloca(const struct node *node) {
    const struct function *function = &functions[node->identifier->index];
    return function->kind == FUNCTION_SUBROUTINE &&
           (function->index == SUBROUTINE_ALLOCA || function->index == SUBROUTINE_COPYIN);
}

static bool unary_gives_alloca(const struct node *node) {
    switch (node->op) {
    case '!':
    case KEYWORD_STRINGOF:
        return false;
    case '&':
        return node->left->lies_in_alloca;
    default:
        return node->left->is_alloca;
    }
}

static bool binary_gives_alloca(const struct node *node) {
    switch (node->op) {
    case ',':
        return node->right->is_alloca;
    case TOKEN_EQUAL:
    case TOKEN_NOT_EQUAL:
    case '<':
    case '>':
    case TOKEN_LESS_EQUAL:
    case TOKEN_GREATER_EQUAL:
        return false;
    case '-':
        if (type_is_pointer(node->left->type) && type_is_pointer(node->right->type))
            return false;
        break;
    }
    return node->left->is_alloca || node->right->is_alloca;
}

/* What an address leads to: it lies there, but its value is its own; an array is the address of its elements.
 */
static void lead_to(struct node *node, bool lies_in_alloca) {
    node->lies_in_alloca = lies_in_alloca;
    node->is_alloca = lies_in_alloca && type_resolve(node->type)->kind == TYPE_ARRAY;
}

static bool is_variable(const struct node *node) {
    const struct identifier *identifier = node->identifier;
    return (node->kind == NODE_NAME || node->kind == NODE_ARRAY) && identifier &&
           (identifier->kind == IDENTIFIER_SCALAR || identifier->kind == IDENTIFIER_ARRAY);
}

void alloca_mark(struct node *node) {
    if (is_variable(node)) {
        node->is_alloca = node->identifier->memory == MEMORY_ALLOCA;
        return;
    }
    switch (node->kind) {
    case NODE_CALL:
        node->is_alloca = call_gives_alloca(node);
        break;
    case NODE_CAST:
        node->is_alloca = node->left->is_alloca && !type_is_string(node->type);
        break;
    case NODE_UNARY:
        if (node->op == '*')
            lead_to(node, node->left->is_alloca);
        else
            node->is_alloca = unary_gives_alloca(node);
        break;
    case NODE_POSTFIX:
        node->is_alloca = node->left->is_alloca;
        break;
    case NODE_BINARY:
        node->is_alloca = binary_gives_alloca(node);
        break;
    case NODE_ASSIGN:
        node->is_alloca = node->op == '=' ? node->right->is_alloca : node->left->is_alloca;
        break;
    case NODE_TERNARY:
        node->is_alloca = node->left->is_alloca || node->right->is_alloca;
        break;
    case NODE_ARRAY:
        lead_to(node, node->left->is_alloca);
        break;
    case NODE_MEMBER:
        lead_to(node, node->left->lies_in_alloca);
        break;
    case NODE_ARROW: /* the value too, as DTrace has it */
        node->is_alloca = node->lies_in_alloca = node->left->is_alloca;
        break;
    default:
        break;
    }
}

void alloca_assign(struct compilation *compilation, const struct node *node) {
    const struct node *left = node->left, *right = node->right;
    if (!is_variable(left))
        return;
    if (right->kind == NODE_TERNARY && right->left->is_alloca != right->right->is_alloca)
        compile_fail(
            compilation, node, "D_ALLOCA_INCOMPAT",
            "ternary conditional with alloca and non-alloca branches cannot be assigned to a variable");
    if (right->kind == NODE_INTEGER && right->value == 0) /* NULL is of both kinds */
        return;
    enum memory_kind memory = right->is_alloca ? MEMORY_ALLOCA : MEMORY_OTHER;
    struct identifier *identifier = left->identifier;
    if (identifier->memory != MEMORY_UNKNOWN && identifier->memory != memory)
        compile_fail(compilation, node, "D_ALLOCA_INCOMPAT",
                     "%s: cannot reuse the same identifier for both alloca and non-alloca allocations",
                     identifier->name);
    identifier->memory = memory;
}
