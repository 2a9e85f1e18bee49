/*
 * fold.c: operations on integer constants, as DTrace's parser computes them: 64 bits wide, and cut to a type
 * only by a cast and where an unsigned constant changes its sign.
 */
#include "compile.h"

#include <stdint.h>
#include <string.h>

int64_t fold_cut(uint64_t value, const struct type *type) {
    type = type_resolve(type);
    if (type->size >= 8 || type->size == 0)
        return (int64_t)value;
    unsigned unused = 64 - (unsigned)type->size * 8;
    return type->is_signed ? (int64_t)(value << unused) >> unused : (int64_t)(value << unused >> unused);
}

static bool is_integer(const struct node *node) {
    return node && node->kind == NODE_INTEGER && type_is_integer(node->type);
}

static void become(struct node *node, uint64_t value, const struct type *type) {
    node->kind = NODE_INTEGER;
    node->value = value;
    node->type = type;
    node->is_constant = true;
    node->left = node->right = node->condition = NULL;
}

static bool fold_unary(struct node *node) {
    uint64_t value = node->left->value;
    const struct type *type = node->left->type;
    switch (node->op) {
    case '+':
        break;
    case '-':
        value = type_resolve(type)->is_signed ? -value : (uint64_t)fold_cut(-value, type);
        break;
    case '~':
        value = type_resolve(type)->is_signed ? ~value : (uint64_t)fold_cut(~value, type);
        break;
    case '!':
        value = !value; /* of the operand's type, as in DTrace */
        break;
    default:
        return false;
    }
    become(node, value, type);
    return true;
}

_Noreturn void fold_fail_by_zero(struct compilation *compilation, const struct node *node) {
    compilation->region = NULL;
    compile_fail(compilation, node, "D_DIV_ZERO", "expression contains division by zero");
}

static bool fold_binary(struct compilation *compilation, struct node *node) {
    bool is_shift = node->op == TOKEN_SHIFT_LEFT || node->op == TOKEN_SHIFT_RIGHT;
    const struct type *type =
        is_shift ? node->left->type : cook_promoted(compilation, node->left->type, node->right->type);
    uint64_t a = node->left->value, b = node->right->value;
    bool is_signed = type_resolve(type)->is_signed;
    uint64_t value = 0;
    if ((node->op == '/' || node->op == '%') && b == 0)
        fold_fail_by_zero(compilation, node);
    if (constant_compute(node->op, a, b, is_signed, &value)) {
        become(node, value, type);
        return true;
    }
    if (!constant_compare(node->op, a, b, is_signed, &value))
        return false;
    become(node, value, type_named(compilation->types, "int"));
    return true;
}

static void fold_sizeof(struct compilation *compilation, struct node *node) {
    const struct type *type = type_resolve(node->type);
    if (type->size == 0 && type->kind != TYPE_STRUCT && type->kind != TYPE_UNION &&
        type->kind != TYPE_FORWARD)
        compile_fail(compilation, node, "D_SIZEOF_TYPE", "cannot apply sizeof to an operand of unknown size");
    become(node, type->kind == TYPE_FORWARD ? UINT64_MAX : type->size,
           type_named(compilation->types, "size_t"));
}

static void fold_offsetof(struct compilation *compilation, struct node *node) {
    const struct type *type = type_resolve(node->type);
    if (type->kind != TYPE_STRUCT && type->kind != TYPE_UNION)
        compile_fail(compilation, node, "D_OFFSETOF_TYPE", "offsetof operand must be a struct or union type");
    const struct type_member *member = type_member_named(type, node->text);
    if (!member)
        compile_fail(compilation, node, "D_UNKNOWN",
                     "failed to determine offset of %s: Member name not found.", node->text);
    if (member->bits)
        compile_fail(compilation, node, "D_OFFSETOF_BITFIELD", "cannot take offset of a bit-field: %s",
                     node->text);
    become(node, member->offset, type_named(compilation->types, "int"));
}

/* Functions of D that ask the kernel about itself. */
static bool is_of_kernel(const char *name) {
    static const char *const names[] = {
        "d_path",          "ddi_pathname", "getf",        "msgdsize",
        "msgsize",         "mutex_owned",  "mutex_owner", "mutex_type_adaptive",
        "mutex_type_spin", "pcap",         "rw_iswriter", "rw_read_held",
        "rw_write_held",
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

/* What is called must be known before anything of the program is looked at more closely. */
static void fold_call(struct compilation *compilation, struct node *call) {
    call->identifier = identifier_find(compilation->identifiers, SPACE_GLOBALS, call->text);
    if (!call->identifier && is_of_kernel(call->text))
        compile_fail(compilation, call, "D_FUNC_UNDEF",
                     "%s( ) is not supported: it concerns the kernel alone", call->text);
    if (!call->identifier)
        compile_fail(compilation, call, "D_FUNC_UNDEF", "undefined function name: %s", call->text);
    if (call->identifier->kind != IDENTIFIER_FUNCTION)
        compile_fail(compilation, call, "D_FUNC_IDKIND", "%s '%s' may not be referenced as a function",
                     identifier_kind_name(call->identifier), call->text);
}

bool fold_operation(struct compilation *compilation, struct node *node) {
    switch (node->kind) {
    case NODE_UNARY:
        return is_integer(node->left) && fold_unary(node);
    case NODE_BINARY:
        return is_integer(node->left) && is_integer(node->right) && fold_binary(compilation, node);
    case NODE_CAST:
        if (!is_integer(node->left) || !type_is_integer(node->type))
            return false;
        become(node, (uint64_t)fold_cut(node->left->value, node->type), node->type);
        return true;
    default:
        return false;
    }
}

/* An inline whose definition is an integer stands for it from there on, even where a constant is wanted. */
static void fold_name(struct compilation *compilation, struct node *node) {
    if (node->scope != NODE_GLOBAL)
        return;
    const struct identifier *identifier =
        identifier_find(compilation->identifiers, SPACE_GLOBALS, node->text);
    if (identifier && identifier->kind == IDENTIFIER_INLINE && is_integer(identifier->expression) &&
        !identifier->parameters && type_is_integer(identifier->type)) {
        become(node, identifier->expression->value, identifier->expression->type);
    }
}

void fold(struct compilation *compilation, struct node *node) {
    if (!node)
        return;
    fold(compilation, node->left);
    fold(compilation, node->right);
    fold(compilation, node->condition);
    for (struct node *item = node->list; item; item = item->next)
        fold(compilation, item);
    if (node->kind == NODE_NAME)
        fold_name(compilation, node);
    else if (node->kind == NODE_SIZEOF)
        fold_sizeof(compilation, node);
    else if (node->kind == NODE_CALL)
        fold_call(compilation, node);
    else if (node->kind == NODE_OFFSETOF)
        fold_offsetof(compilation, node);
    else if (node->kind == NODE_TERNARY && is_integer(node->condition)) {
        struct node *next = node->next;
        *node = *(node->condition->value ? node->left : node->right);
        node->next = next;
    } else
        fold_operation(compilation, node);
}
