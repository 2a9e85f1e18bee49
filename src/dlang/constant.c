/*
 * constant.c: arithmetic on constants, and the value of an expression that a declaration needs at once: the
 * size of an array, of a bit-field, the value of an enumerator.
 */
#include "constants.h"
#include "lexer.h"
#include "node.h"

static bool unary_value(struct types *types, const struct node *node, int64_t *value) {
    if (!node_constant_value(types, node->left, value))
        return false;
    switch (node->op) {
    case '-':
        *value = (int64_t)(0 - (uint64_t)*value);
        return true;
    case '+':
        return true;
    case '~':
        *value = ~*value;
        return true;
    case '!':
        *value = !*value;
        return true;
    default:
        return false;
    }
}

bool constant_compute(int op, uint64_t a, uint64_t b, bool is_signed, uint64_t *value) {
    int64_t left = (int64_t)a, right = (int64_t)b;
    if ((op == '/' || op == '%') && b == 0)
        return false;
    switch (op) {
    case '+':
        *value = a + b;
        return true;
    case '-':
        *value = a - b;
        return true;
    case '*':
        *value = a * b;
        return true;
    case '/':
        *value = !is_signed ? a / b : right == -1 ? -a : (uint64_t)(left / right);
        return true;
    case '%':
        *value = !is_signed ? a % b : right == -1 ? 0 : (uint64_t)(left % right);
        return true;
    case '&':
        *value = a & b;
        return true;
    case '|':
        *value = a | b;
        return true;
    case '^':
        *value = a ^ b;
        return true;
    case TOKEN_SHIFT_LEFT:
        *value = a << (b & 63);
        return true;
    case TOKEN_SHIFT_RIGHT:
        *value = is_signed ? (uint64_t)(left >> (b & 63)) : a >> (b & 63);
        return true;
    }
    return false;
}

bool constant_compare(int op, uint64_t a, uint64_t b, bool is_signed, uint64_t *value) {
    bool less = is_signed ? (int64_t)a < (int64_t)b : a < b;
    switch (op) {
    case TOKEN_EQUAL:
        *value = a == b;
        return true;
    case TOKEN_NOT_EQUAL:
        *value = a != b;
        return true;
    case '<':
        *value = less;
        return true;
    case '>':
        *value = !less && a != b;
        return true;
    case TOKEN_LESS_EQUAL:
        *value = less || a == b;
        return true;
    case TOKEN_GREATER_EQUAL:
        *value = !less;
        return true;
    case TOKEN_LOGICAL_AND:
        *value = a && b;
        return true;
    case TOKEN_LOGICAL_OR:
        *value = a || b;
        return true;
    case TOKEN_LOGICAL_XOR:
        *value = !a != !b;
        return true;
    }
    return false;
}

static bool binary_value(struct types *types, const struct node *node, int64_t *value) {
    int64_t left, right;
    if (!node_constant_value(types, node->left, &left) || !node_constant_value(types, node->right, &right))
        return false;
    uint64_t a = (uint64_t)left, b = (uint64_t)right, result;
    if (!constant_compute(node->op, a, b, true, &result) && !constant_compare(node->op, a, b, true, &result))
        return false;
    *value = (int64_t)result;
    return true;
}

static bool cast_value(struct types *types, const struct node *node, int64_t *value) {
    const struct type *type = type_resolve(node->type);
    if (!type_is_integer(type) || !node_constant_value(types, node->left, value))
        return false;
    unsigned unused = type->size < 8 ? 64 - 8 * (unsigned)type->size : 0;
    uint64_t shifted = (uint64_t)*value << unused;
    *value = type->is_signed ? (int64_t)shifted >> unused : (int64_t)(shifted >> unused);
    return true;
}

bool node_constant_value(struct types *types, const struct node *node, int64_t *value) {
    const struct type_member *member;
    switch (node->kind) {
    case NODE_INTEGER:
        *value = (int64_t)node->value;
        return true;
    case NODE_NAME:
        return node->scope == NODE_GLOBAL &&
               (type_enumerator_value(types, node->text, value, NULL) ||
                type_constant_value(types, node->text, value) || constant_named(node->text, value));
    case NODE_SIZEOF:
        *value = (int64_t)type_resolve(node->type)->size;
        return true;
    case NODE_OFFSETOF:
        member = type_member_named(node->type, node->text);
        *value = member ? (int64_t)member->offset : 0;
        return member != NULL;
    case NODE_UNARY:
        return unary_value(types, node, value);
    case NODE_BINARY:
        return binary_value(types, node, value);
    case NODE_CAST:
        return cast_value(types, node, value);
    case NODE_TERNARY:
        return node_constant_value(types, node->condition, value) &&
               node_constant_value(types, *value ? node->left : node->right, value);
    default:
        return false;
    }
}
