/*
 * cook.c: gives every expression its type and checks it, in DTrace's words. Names are in names.c, calls in
 * calls.c.
 */
#include "calls.h"
#include "compile.h"
#include "names.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct type *type_int(struct compilation *compilation) {
    return type_named(compilation->types, "int");
}

unsigned node_count(const struct node *list) {
    unsigned count = 0;
    for (; list; list = list->next)
        count++;
    return count;
}

/* --- questions about a cooked node --- */

bool cook_is_dynamic(const struct node *node) {
    enum type_kind kind = type_resolve(node->type)->kind;
    return kind == TYPE_DYNAMIC || kind == TYPE_AGGREGATION;
}

bool cook_is_integer(const struct node *node) {
    return type_is_integer(node->type);
}

bool cook_is_text(const struct node *node) {
    return type_is_text(node->type);
}

bool cook_is_scalar(const struct node *node) {
    return type_is_scalar(node->type);
}

static bool is_string(const struct node *node) {
    return type_is_string(node->type);
}

static bool is_arithmetic(const struct node *node) {
    return cook_is_integer(node); /* floating-point numbers can be declared and recorded, no more */
}

/* As D means it: a string is an array of characters. */
static bool is_pointer(const struct node *node) {
    return type_is_pointer(node->type) || is_string(node);
}

static bool is_zero(const struct node *node) {
    return node->kind == NODE_INTEGER && node->value == 0 && cook_is_integer(node);
}

static const struct type *pointed_to(struct compilation *compilation, const struct type *type) {
    type = type_resolve(type);
    return type_resolve(type->kind == TYPE_STRING ? type_named(compilation->types, "char") : type->base);
}

/* Can the two be compared and assigned as addresses? An integer only when it is the constant 0. */
static bool are_pointers(struct compilation *compilation, const struct node *left, const struct node *right) {
    if (cook_is_dynamic(left) || cook_is_dynamic(right))
        return false;
    if ((!is_pointer(left) && !is_zero(left)) || (!is_pointer(right) && !is_zero(right)) ||
        (is_zero(left) && is_zero(right)))
        return false;
    if (is_zero(left) || is_zero(right))
        return true;
    const struct type *one = pointed_to(compilation, left->type);
    const struct type *other = pointed_to(compilation, right->type);
    return one->kind == TYPE_VOID || other->kind == TYPE_VOID || type_same(one, other);
}

bool cook_accepts(struct compilation *compilation, const struct type *wanted, const struct node *argument) {
    struct node prototype = {.kind = NODE_TYPE, .type = wanted};
    if (cook_is_dynamic(argument))
        return false;
    if (type_is_integer(wanted) && cook_is_integer(argument))
        return true;
    if (type_is_text(wanted) && cook_is_text(argument))
        return true;
    enum type_kind kind = type_resolve(wanted)->kind;
    if (kind == TYPE_STRUCT || kind == TYPE_UNION || kind == TYPE_STACK || kind == TYPE_SYMBOL ||
        kind == TYPE_FLOAT)
        return type_same(wanted, argument->type);
    return are_pointers(compilation, &prototype, argument);
}

const char *cook_describe(struct compilation *compilation, const struct node *node) {
    char text[256];
    if (cook_is_dynamic(node) && node->identifier)
        return identifier_kind_name(node->identifier);
    if (node->kind == NODE_XLATE)
        return node->translates_pointer ? "pointer to translated data" : "translated data";
    if (type_resolve(node->type)->kind == TYPE_STACK)
        return "dt_stack_t";
    return memory_print(compilation->memory, "%s", type_print(node->type, text, sizeof text));
}

/* --- types of results --- */

const struct type *cook_promoted(struct compilation *compilation, const struct type *left,
                                 const struct type *right) {
    const struct type *one = type_resolve(left), *other = type_resolve(right);
    const struct type *integer = type_resolve(type_int(compilation));
    if (one->kind == TYPE_ENUM)
        left = one = integer;
    if (other->kind == TYPE_ENUM)
        right = other = integer;
    if (one->size != other->size)
        return one->size > other->size ? left : right;
    return one->is_signed && !other->is_signed ? right : left;
}

static _Noreturn void fail_incompatible(struct compilation *compilation, const struct node *node) {
    compile_fail(compilation, node, "D_OP_INCOMPAT", "operands have incompatible types: \"%s\" %s \"%s\"",
                 cook_describe(compilation, node->left), token_text(node->op),
                 cook_describe(compilation, node->right));
}

static void become_constant(struct compilation *compilation, struct node *node) {
    fold_operation(compilation, node);
}

/* --- operators --- */

static void want_integers(struct compilation *compilation, const struct node *node) {
    if (!cook_is_integer(node->left) || !cook_is_integer(node->right))
        compile_fail(compilation, node, "D_OP_INT", "operator %s requires operands of integral type",
                     token_text(node->op));
}

static void want_lvalue(struct compilation *compilation, const struct node *node,
                        const struct node *operand) {
    if (!operand->is_lvalue)
        compile_fail(compilation, node, "D_OP_LVAL", "operator %s requires modifiable lvalue as an operand",
                     token_text(node->op));
    if (!operand->is_writable)
        compile_fail(compilation, node, "D_OP_WRITE",
                     "operator %s can only be applied to a writable variable", token_text(node->op));
}

/* + and -, with pointers; the type of the result. */
static const struct type *add_type(struct compilation *compilation, const struct node *node, bool subtracts) {
    const struct node *left = node->left, *right = node->right;
    if (cook_is_integer(left) && cook_is_integer(right))
        return cook_promoted(compilation, left->type, right->type);
    const struct node *pointer = is_pointer(left) ? left : right;
    const struct node *number = pointer == left ? right : left;
    if (subtracts && is_pointer(left) && is_pointer(right) && are_pointers(compilation, left, right) &&
        pointed_to(compilation, left->type)->kind != TYPE_VOID)
        return type_named(compilation->types, "ptrdiff_t");
    if (!is_pointer(pointer) || !cook_is_integer(number) || (subtracts && pointer == right))
        fail_incompatible(compilation, node);
    const struct type *base = pointed_to(compilation, pointer->type);
    if (base->kind == TYPE_VOID || base->kind == TYPE_FUNCTION || base->kind == TYPE_FORWARD)
        fail_incompatible(compilation, node);
    if (type_resolve(pointer->type)->kind == TYPE_POINTER)
        return pointer->type;
    return type_pointer_to(compilation->types, is_string(pointer) ? base : type_resolve(pointer->type)->base);
}

static void become_number(struct node *node, bool value) {
    node->kind = NODE_INTEGER;
    node->value = value;
    node->is_constant = true;
    node->left = node->right = NULL;
}

/* Constant strings, which macro arguments bring: /$$1 == "" || .../ is decided here. */
static void compare_constants(struct node *node) {
    const struct node *left = node->left, *right = node->right;
    if (left->kind != NODE_STRING || right->kind != NODE_STRING)
        return;
    bool same =
        left->text_length == right->text_length && memcmp(left->text, right->text, left->text_length) == 0;
    if (node->op == TOKEN_EQUAL || node->op == TOKEN_NOT_EQUAL)
        become_number(node, (node->op == TOKEN_EQUAL) == same);
}

/* Two of one type are compared by their places. */
static bool are_structs(const struct node *node) {
    enum type_kind kind = type_resolve(node->left->type)->kind;
    return (kind == TYPE_STRUCT || kind == TYPE_UNION) && type_same(node->left->type, node->right->type);
}

static void cook_compare(struct compilation *compilation, struct node *node) {
    const struct node *left = node->left, *right = node->right;
    bool good = (is_arithmetic(left) && is_arithmetic(right)) || are_pointers(compilation, left, right) ||
                (cook_is_text(left) && cook_is_text(right) && (is_string(left) || is_string(right))) ||
                are_structs(node);
    if (!good)
        fail_incompatible(compilation, node);
    node->type = type_int(compilation);
    compare_constants(node);
}

/* An operand that settles && or || before the other is looked at. */
static void settle_logic(struct node *node) {
    const struct node *left = node->left;
    if (left->kind != NODE_INTEGER)
        return;
    if (node->op == TOKEN_LOGICAL_OR && left->value)
        become_number(node, true);
    else if (node->op == TOKEN_LOGICAL_AND && !left->value)
        become_number(node, false);
}

static void cook_logic(struct compilation *compilation, struct node *node) {
    if (!cook_is_scalar(node->left) || !cook_is_scalar(node->right))
        compile_fail(compilation, node, "D_OP_SCALAR", "operator %s requires operands of scalar type",
                     token_text(node->op));
    node->type = type_int(compilation);
    settle_logic(node);
}

/* Characters further on in a string are a string again: node becomes (string)((char *)s + n). */
static void become_rest(struct compilation *compilation, struct node *node, const struct type *type) {
    struct node *sum = memory_allocate(compilation->memory, sizeof *sum);
    *sum = *node;
    sum->next = NULL;
    sum->type = type;
    node->kind = NODE_CAST;
    node->left = sum;
    node->right = NULL;
    node->type = type_inner(compilation->types, TYPE_STRING);
}

static void cook_sum(struct compilation *compilation, struct node *node) {
    bool is_of_string = (is_string(node->left) && cook_is_integer(node->right)) ||
                        (is_string(node->right) && cook_is_integer(node->left));
    node->type = add_type(compilation, node, node->op == '-');
    if (is_of_string)
        become_rest(compilation, node, node->type);
}

static void cook_product(struct compilation *compilation, struct node *node) {
    if (!is_arithmetic(node->left) || !is_arithmetic(node->right))
        compile_fail(compilation, node, "D_OP_ARITH", "operator %s requires operands of arithmetic type",
                     token_text(node->op));
    node->type = cook_promoted(compilation, node->left->type, node->right->type);
}

static void cook_bits(struct compilation *compilation, struct node *node) {
    want_integers(compilation, node);
    node->type = cook_promoted(compilation, node->left->type, node->right->type);
}

static void cook_shift(struct compilation *compilation, struct node *node) {
    want_integers(compilation, node);
    node->type = node->left->type;
}

static bool is_action(const struct node *node) {
    return node->kind == NODE_CALL && node->identifier->kind == IDENTIFIER_FUNCTION &&
           functions[node->identifier->index].kind == FUNCTION_ACTION;
}

static void cook_comma(struct compilation *compilation, struct node *node) {
    if (cook_is_dynamic(node->left) || cook_is_dynamic(node->right))
        compile_fail(compilation, node, "D_OP_DYN", "operator , operands cannot be of dynamic type");
    if (is_action(node->left) || is_action(node->right))
        compile_fail(compilation, node, "D_OP_ACT", "operator , operands cannot be actions");
    node->type = node->right->type;
    node->is_writable = node->right->is_writable;
}

static const struct {
    int op;
    void (*cook)(struct compilation *compilation, struct node *node);
} binary_operators[] = {
    {TOKEN_LOGICAL_OR, cook_logic},
    {TOKEN_LOGICAL_XOR, cook_logic},
    {TOKEN_LOGICAL_AND, cook_logic},
    {'|', cook_bits},
    {'^', cook_bits},
    {'&', cook_bits},
    {TOKEN_EQUAL, cook_compare},
    {TOKEN_NOT_EQUAL, cook_compare},
    {'<', cook_compare},
    {'>', cook_compare},
    {TOKEN_LESS_EQUAL, cook_compare},
    {TOKEN_GREATER_EQUAL, cook_compare},
    {TOKEN_SHIFT_LEFT, cook_shift},
    {TOKEN_SHIFT_RIGHT, cook_shift},
    {'+', cook_sum},
    {'-', cook_sum},
    {'*', cook_product},
    {'/', cook_product},
    {'%', cook_bits},
    {',', cook_comma},
};

static void cook_binary(struct compilation *compilation, struct node *node, enum use use) {
    (void)use;
    cook(compilation, node->left, USE_READ);
    cook(compilation, node->right, USE_READ);
    for (size_t i = 0; i < sizeof binary_operators / sizeof *binary_operators; i++)
        if (binary_operators[i].op == node->op) {
            binary_operators[i].cook(compilation, node);
            break;
        }
    become_constant(compilation, node);
}

/* --- assignment --- */

static bool may_be_assigned(struct compilation *compilation, const struct node *left,
                            const struct node *right) {
    if (cook_is_dynamic(left) || cook_is_dynamic(right))
        return false;
    enum type_kind kind = type_resolve(left->type)->kind;
    switch (kind) {
    case TYPE_INTEGER:
    case TYPE_ENUM:
        return is_arithmetic(right);
    case TYPE_STRING:
        return cook_is_text(right) || are_pointers(compilation, left, right);
    case TYPE_POINTER:
        return are_pointers(compilation, left, right) || (cook_is_text(left) && cook_is_text(right));
    case TYPE_STRUCT:
    case TYPE_UNION:
    case TYPE_STACK:
    case TYPE_SYMBOL:
        return type_same(left->type, right->type);
    default:
        return false;
    }
}

/* The operator of a compound assignment: '+' of "+=". */
static int plain_operator(int op) {
    static const struct {
        int assign, plain;
    } pairs[] = {
        {TOKEN_ADD_ASSIGN, '+'},
        {TOKEN_SUBTRACT_ASSIGN, '-'},
        {TOKEN_MULTIPLY_ASSIGN, '*'},
        {TOKEN_DIVIDE_ASSIGN, '/'},
        {TOKEN_REMAINDER_ASSIGN, '%'},
        {TOKEN_AND_ASSIGN, '&'},
        {TOKEN_XOR_ASSIGN, '^'},
        {TOKEN_OR_ASSIGN, '|'},
        {TOKEN_SHIFT_LEFT_ASSIGN, TOKEN_SHIFT_LEFT},
        {TOKEN_SHIFT_RIGHT_ASSIGN, TOKEN_SHIFT_RIGHT},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        if (pairs[i].assign == op)
            return pairs[i].plain;
    return 0;
}

int cook_plain_operator(int op) {
    return plain_operator(op);
}

/* What a compound assignment's operator demands. */
static void check_compound(struct compilation *compilation, const struct node *node) {
    const struct node *left = node->left, *right = node->right;
    enum type_kind kind = type_resolve(left->type)->kind;
    switch (plain_operator(node->op)) {
    case '+':
    case '-':
        if (kind == TYPE_STRUCT || kind == TYPE_UNION)
            compile_fail(compilation, node, "D_OP_VFPTR",
                         "operator %s requires left-hand scalar operand of known size", token_text(node->op));
        if (is_arithmetic(left) && is_arithmetic(right))
            return;
        if (is_string(left) || type_resolve(left->type)->kind != TYPE_POINTER || !cook_is_integer(right))
            fail_incompatible(compilation, node);
        add_type(compilation, node, false);
        return;
    case '*':
    case '/':
        if (!is_arithmetic(left) || !is_arithmetic(right))
            compile_fail(compilation, node, "D_OP_ARITH", "operator %s requires operands of arithmetic type",
                         token_text(node->op));
        return;
    default:
        want_integers(compilation, node);
    }
}

/* y ? "text" : 0, which DTrace takes for the characters alone. */
static bool is_text_or_zero(const struct node *node) {
    return node->kind == NODE_TERNARY && is_string(node) && (is_zero(node->left) || is_zero(node->right));
}

static void cook_assign(struct compilation *compilation, struct node *node, enum use use) {
    (void)use;
    struct node *left = node->left, *right = node->right;
    if (left->kind == NODE_AGGREGATION && node->op == '=') {
        name_assign_aggregation(compilation, node);
        return;
    }
    cook(compilation, left, node->op == '=' ? USE_WRITE : USE_READ | USE_WRITE);
    cook(compilation, right, USE_READ);
    if (node->op == '=') {
        bool is_new = left->identifier && !left->identifier->type;
        const struct node *array = type_resolve(left->type)->kind == TYPE_ARRAY              ? left
                                   : is_new && type_resolve(right->type)->kind == TYPE_ARRAY ? right
                                                                                             : NULL;
        if (array)
            compile_fail(compilation, node, "D_OP_ARRFUN",
                         "operator = may not be applied to operand of type \"%s\"",
                         cook_describe(compilation, array));
        if (is_new && is_text_or_zero(right))
            compile_fail(compilation, node, "D_OP_ARRFUN",
                         "operator = may not be applied to operand of type \"char [%zu]\"",
                         right->type->size);
        if (is_new && right->kind == NODE_XLATE && !right->translates_pointer)
            compile_fail(compilation, node, "D_UNKNOWN",
                         "internal error -- no support for translated types yet");
        if (is_new && right->kind == NODE_XLATE && !right->left) /* curpsinfo has a type of its own */
            name_learn_type(left, right->source_type);
        else if (is_new && cook_is_dynamic(left) && !cook_is_dynamic(right))
            name_learn_type(left, right->type);
        if (!may_be_assigned(compilation, left, right))
            fail_incompatible(compilation, node);
        want_lvalue(compilation, node, left);
    } else {
        want_lvalue(compilation, node, left);
        check_compound(compilation, node);
        if (is_zero(right) && (node->op == TOKEN_DIVIDE_ASSIGN || node->op == TOKEN_REMAINDER_ASSIGN))
            fold_fail_by_zero(compilation, node);
    }
    alloca_assign(compilation, node);
    node->type = left->type;
    node->is_writable = left->is_writable;
}

/* ++ and --, before and behind. */
static void cook_step(struct compilation *compilation, struct node *node) {
    struct node *operand = node->left;
    cook(compilation, operand, USE_READ | USE_WRITE | USE_STEP);
    if (!cook_is_scalar(operand))
        compile_fail(compilation, node, "D_OP_SCALAR", "operator %s requires operand of scalar type",
                     token_text(node->op));
    want_lvalue(compilation, node, operand);
    if (is_pointer(operand)) {
        const struct type *base = pointed_to(compilation, operand->type);
        if (base->kind == TYPE_VOID || base->kind == TYPE_FUNCTION || base->kind == TYPE_FORWARD)
            compile_fail(compilation, node, "D_OP_VFPTR", "operator %s requires an operand of known size",
                         token_text(node->op));
    }
    node->type = operand->type;
}

static void cook_postfix(struct compilation *compilation, struct node *node, enum use use) {
    (void)use;
    cook_step(compilation, node);
}

/* --- unary operators --- */

static void cook_dereference(struct compilation *compilation, struct node *node) {
    const struct node *operand = node->left;
    if (cook_is_dynamic(operand) || !is_pointer(operand))
        compile_fail(compilation, node, "D_DEREF_NONPTR", "cannot dereference non-pointer type");
    const struct type *base = pointed_to(compilation, operand->type);
    if (base->kind == TYPE_VOID)
        compile_fail(compilation, node, "D_DEREF_VOID", "cannot dereference pointer to void");
    if (base->kind == TYPE_FUNCTION)
        compile_fail(compilation, node, "D_DEREF_FUNC", "cannot dereference pointer to function");
    bool is_sum = operand->kind == NODE_BINARY && (operand->op == '+' || operand->op == '-');
    node->type = is_string(operand) ? base : type_resolve(operand->type)->base;
    node->is_lvalue = true;
    node->is_writable = is_sum ? operand->left->is_writable : operand->is_writable;
}

static void cook_address_of(struct compilation *compilation, struct node *node) {
    const struct node *operand = node->left;
    if (cook_is_dynamic(operand))
        compile_fail(compilation, node, "D_ADDROF_VAR", "cannot take address of dynamic variable");
    if (!operand->is_lvalue)
        compile_fail(compilation, node, "D_ADDROF_LVAL", "unacceptable operand for unary & operator");
    bool is_variable = operand->kind == NODE_NAME || operand->kind == NODE_INTEGER /* uregs[] */ ||
                       (operand->kind == NODE_ARRAY && operand->identifier);
    if (is_variable)
        compile_fail(compilation, node, "D_ADDROF_VAR", "cannot take address of dynamic variable");
    if ((operand->kind == NODE_MEMBER || operand->kind == NODE_ARROW) && operand->member->bits)
        compile_fail(compilation, node, "D_ADDROF_BITFIELD", "cannot take address of bit-field");
    node->type = type_pointer_to(compilation->types, operand->type);
}

/* To ask for the size of a variable that has no type yet makes it an int64_t; but a global must be known. */
static enum use size_use(const struct node *operand) {
    bool is_variable =
        (operand->kind == NODE_NAME && operand->scope != NODE_GLOBAL) || operand->kind == NODE_ARRAY;
    return is_variable ? USE_STEP : USE_READ;
}

static void cook_sizeof(struct compilation *compilation, struct node *node) {
    const struct node *operand = node->left;
    const struct type *type = type_resolve(
        operand->kind == NODE_XLATE && operand->source_type ? operand->source_type : operand->type);
    if (type->size == 0 && type->kind != TYPE_FORWARD)
        compile_fail(compilation, node, "D_SIZEOF_TYPE", "cannot apply sizeof to an operand of unknown size");
    size_t size = node->left->kind == NODE_STRING ? node->left->text_length + 1
                  : type->kind == TYPE_FORWARD    ? SIZE_MAX /* as DTrace has it */
                                                  : type->size;
    if ((node->left->kind == NODE_MEMBER || node->left->kind == NODE_ARROW) && node->left->member->bits)
        compile_fail(compilation, node, "D_SIZEOF_BITFIELD", "cannot apply sizeof to a bit-field");
    node->kind = NODE_INTEGER;
    node->value = size;
    node->left = NULL;
    node->is_constant = true;
    node->type = type_named(compilation->types, "size_t");
}

static void cook_stringof(struct compilation *compilation, struct node *node) {
    const struct node *operand = node->left;
    if (cook_is_dynamic(operand) || (!cook_is_scalar(operand) && !cook_is_text(operand)))
        compile_fail(compilation, node, "D_STRINGOF_TYPE", "cannot apply stringof to a value of type %s",
                     cook_describe(compilation, operand));
    node->type = type_inner(compilation->types, TYPE_STRING);
}

static void cook_unary(struct compilation *compilation, struct node *node, enum use use) {
    (void)use;
    if (node->op == TOKEN_INCREMENT || node->op == TOKEN_DECREMENT) {
        cook_step(compilation, node);
        return;
    }
    cook(compilation, node->left, node->op == KEYWORD_SIZEOF ? size_use(node->left) : USE_READ);
    switch (node->op) {
    case '*':
        cook_dereference(compilation, node);
        return;
    case '&':
        cook_address_of(compilation, node);
        return;
    case KEYWORD_SIZEOF:
        cook_sizeof(compilation, node);
        return;
    case KEYWORD_STRINGOF:
        cook_stringof(compilation, node);
        return;
    case '!':
        if (!cook_is_scalar(node->left))
            compile_fail(compilation, node, "D_OP_SCALAR", "operator ! requires an operand of scalar type");
        node->type = type_int(compilation);
        break;
    case '~':
        if (!cook_is_integer(node->left))
            compile_fail(compilation, node, "D_OP_INT", "operator ~ requires an operand of integral type");
        node->type = node->left->type;
        break;
    default:
        if (!is_arithmetic(node->left))
            compile_fail(compilation, node, "D_OP_ARITH",
                         "operator %s requires an operand of arithmetic type", token_text(node->op));
        node->type = node->left->type;
    }
    become_constant(compilation, node);
}

/* --- ?: and casts --- */

static void cook_ternary(struct compilation *compilation, struct node *node, enum use use) {
    (void)use;
    cook(compilation, node->condition, USE_READ);
    if (!cook_is_scalar(node->condition))
        compile_fail(compilation, node, "D_OP_SCALAR", "operator ?: expression must be of scalar type");
    cook(compilation, node->left, USE_READ);
    cook(compilation, node->right, USE_READ);
    const struct node *left = node->left, *right = node->right;
    if (is_action(left) || is_action(right))
        compile_fail(compilation, node, "D_OP_ACT", "action cannot be used in a conditional context");
    if (cook_is_dynamic(left) || cook_is_dynamic(right))
        compile_fail(compilation, node, "D_OP_DYN", "operator ?: operands cannot be of dynamic type");
    if (cook_is_text(left) && cook_is_text(right))
        node->type = type_inner(compilation->types, TYPE_STRING);
    else if (is_arithmetic(left) && is_arithmetic(right))
        node->type = cook_promoted(compilation, left->type, right->type);
    else if (are_pointers(compilation, left, right))
        node->type = is_zero(left) || pointed_to(compilation, left->type)->kind == TYPE_VOID ? right->type
                                                                                             : left->type;
    else if (!cook_is_dynamic(left) && !cook_is_dynamic(right) && type_same(left->type, right->type))
        node->type = left->type;
    else
        compile_fail(compilation, node, "D_OP_INCOMPAT", "operator ?: operands must have compatible types");
    if (type_resolve(node->type)->kind == TYPE_ARRAY)
        node->type = type_pointer_to(compilation->types, type_resolve(node->type)->base);
}

static void cook_cast(struct compilation *compilation, struct node *node, enum use use) {
    (void)use;
    struct node *operand = node->left;
    cook(compilation, operand, USE_READ);
    enum type_kind kind = type_resolve(node->type)->kind;
    bool from_address = !cook_is_dynamic(operand) && (cook_is_integer(operand) || is_pointer(operand));
    bool good = false;
    switch (kind) {
    case TYPE_VOID:
        good = true;
        break;
    case TYPE_INTEGER:
    case TYPE_ENUM:
        good = from_address && !is_string(operand);
        break;
    case TYPE_POINTER:
        good = from_address && !is_string(operand);
        break;
    case TYPE_STRING:
        good = from_address;
        break;
    case TYPE_FLOAT:
        break;
    default:
        good = !cook_is_dynamic(operand) && type_same(node->type, operand->type);
    }
    if (!good) {
        char text[128];
        compile_fail(compilation, node, "D_CAST_INVAL", "invalid cast expression: \"%s\" to \"%s\"",
                     cook_describe(compilation, operand), type_print(node->type, text, sizeof text));
    }
    node->is_writable = operand->is_writable;
    become_constant(compilation, node);
}

/* --- members and elements --- */

static void cook_member_of(struct compilation *compilation, struct node *node, const struct type *type,
                           const char *op) {
    const struct type *aggregate = type_resolve(type);
    bool is_pointed_to = strcmp(op, "->") == 0;
    char text[128];
    type_print(aggregate, text, sizeof text);
    if (aggregate->kind == TYPE_STRING) /* which is what it is made of, as a whole */
        snprintf(text, sizeof text, "char [%zu]", aggregate->size);
    if (aggregate->kind == TYPE_FORWARD)
        compile_fail(compilation, node, "D_OP_INCOMPLETE",
                     "operator %s cannot be applied to a forward declaration: no %s definition is available",
                     op, text);
    if (aggregate->kind != TYPE_STRUCT && aggregate->kind != TYPE_UNION)
        compile_fail(compilation, node, "D_OP_SOU",
                     "operator %s cannot be applied to %stype \"%s\"; must be applied to a struct or union%s",
                     op, is_pointed_to ? "pointer to " : "", text, is_pointed_to ? " pointer" : "");
    node->member = type_member_named(type, node->text);
    if (!node->member)
        compile_fail(compilation, node, "D_TYPE_MEMBER", "%s is not a member of %s", node->text, text);
    node->type = node->member->type;
    node->is_lvalue = type_resolve(node->type)->kind != TYPE_ARRAY;
    node->is_writable = node->left->is_writable;
}

static void cook_member(struct compilation *compilation, struct node *node, enum use use) {
    (void)use;
    if (name_translate(compilation, node))
        return;
    cook(compilation, node->left, USE_READ);
    if (node->left->kind == NODE_XLATE)
        cook_member_of(compilation, node, node->left->source_type, ".");
    if (cook_is_dynamic(node->left))
        compile_fail(compilation, node, "D_OP_SOU",
                     "operator . cannot be applied to type \"%s\"; must be applied to a struct or union",
                     cook_describe(compilation, node->left));
    cook_member_of(compilation, node, node->left->type, ".");
}

static void cook_arrow(struct compilation *compilation, struct node *node, enum use use) {
    (void)use;
    if (name_kernel_member(compilation, node) || name_translate(compilation, node))
        return;
    cook(compilation, node->left, USE_READ);
    if (cook_is_dynamic(node->left) || type_resolve(node->left->type)->kind != TYPE_POINTER)
        compile_fail(compilation, node, "D_OP_PTR", "operator -> must be applied to a pointer");
    cook_member_of(compilation, node, type_resolve(node->left->type)->base, "->");
}

/* x[i] of a pointer or an array of C; of an associative array it is a name. */
static void cook_array(struct compilation *compilation, struct node *node, enum use use) {
    if (name_cook_array(compilation, node, use))
        return;
    if (node->left->kind == NODE_AGGREGATION && node->left->list)
        compile_fail(compilation, node, "D_AGG_MDIM",
                     "improper attempt to reference @%s as a multi-dimensional array", node->left->text);
    cook(compilation, node->left, USE_READ);
    for (struct node *index = node->list; index; index = index->next)
        cook(compilation, index, USE_READ);
    if (cook_is_dynamic(node->left) || cook_is_integer(node->left))
        compile_fail(compilation, node, "D_DEREF_NONPTR", "cannot dereference non-pointer type");
    struct node sum = {.kind = NODE_BINARY,
                       .op = '+',
                       .left = node->left,
                       .right = node->list,
                       .line = node->line,
                       .column = node->column,
                       .source = node->source};
    struct node dereference = {
        .line = node->line, .column = node->column, .source = node->source, .left = &sum};
    if (!node->list || node->list->next)
        compile_fail(compilation, node, "D_ARR_BADREF", "cannot access scalar %s as an associative array",
                     node->left->text ? node->left->text : "");
    const struct type *array = type_resolve(node->left->type);
    int64_t number = (int64_t)node->list->value;
    if (array->kind == TYPE_ARRAY && array->count > 0 && node->list->kind == NODE_INTEGER &&
        (number < 0 || (uint64_t)number >= array->count))
        compile_fail(compilation, node, "D_ARR_BOUNDS", "index outside array bounds: %llu, max is %zu",
                     (unsigned long long)number, array->count);
    sum.type = add_type(compilation, &sum, false);
    cook_dereference(compilation, &dereference);
    node->type = dereference.type;
    node->is_lvalue = true;
    node->is_writable = dereference.is_writable;
}

/* --- the rest --- */

static void cook_integer(struct compilation *compilation, struct node *node, enum use use) {
    (void)compilation;
    (void)use;
    node->is_constant = true;
}

static void cook_string(struct compilation *compilation, struct node *node, enum use use) {
    (void)use;
    node->is_constant = true;
    node->type = type_inner(compilation->types, TYPE_STRING);
}

static void cook_symbol(struct compilation *compilation, struct node *node, enum use use) {
    (void)use;
    compile_fail(compilation, node, "D_IDENT_UNDEF", "failed to resolve %s: %s", node->text,
                 *node->text == '`' ? "Unknown symbol name" : "Module is no longer loaded");
}

static void cook_function_call(struct compilation *compilation, struct node *node, enum use use) {
    (void)use;
    cook_call(compilation, node);
}

static void cook_xlate(struct compilation *compilation, struct node *node, enum use use) {
    (void)use;
    name_check_translation(compilation, node);
    node->source_type = node->type;
    node->type = type_inner(compilation->types, TYPE_DYNAMIC);
}

typedef void cook_function(struct compilation *compilation, struct node *node, enum use use);

static cook_function *const cooks[] = {
    [NODE_INTEGER] = cook_integer, [NODE_STRING] = cook_string,
    [NODE_NAME] = name_cook,       [NODE_SYMBOL] = cook_symbol,
    [NODE_ARRAY] = cook_array,     [NODE_CALL] = cook_function_call,
    [NODE_UNARY] = cook_unary,     [NODE_POSTFIX] = cook_postfix,
    [NODE_BINARY] = cook_binary,   [NODE_ASSIGN] = cook_assign,
    [NODE_TERNARY] = cook_ternary, [NODE_CAST] = cook_cast,
    [NODE_MEMBER] = cook_member,   [NODE_ARROW] = cook_arrow,
    [NODE_XLATE] = cook_xlate,     [NODE_AGGREGATION] = name_cook_aggregation,
};

void cook(struct compilation *compilation, struct node *node, enum use use) {
    cooks[node->kind](compilation, node, use);
    alloca_mark(node);
}
