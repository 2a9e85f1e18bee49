/*
 * generate.c: the code of expressions, from cooked nodes.
 */
#include "generate.h"
#include "calls.h"

#include <string.h>

struct jump {
    struct jump *next;
    uint32_t instruction;
};

/* --- instructions, registers, labels --- */

uint32_t emit(struct generator *generator, enum opcode op, unsigned dst, unsigned a, unsigned b,
              int32_t immediate) {
    const struct program_instruction instruction = {(uint8_t)op, (uint8_t)dst, (uint8_t)a, (uint8_t)b,
                                                    immediate};
    return assembly_add(generator->assembly, SECTION_INSTRUCTIONS, &instruction);
}

void emit_jump(struct generator *generator, enum opcode op, unsigned reg, struct label *label) {
    struct jump *jump = memory_allocate(generator->compilation->memory, sizeof *jump);
    jump->next = label->jumps;
    jump->instruction = emit(generator, op, 0, reg, 0, 0);
    label->jumps = jump;
}

void place_label(struct generator *generator, const struct label *label) {
    uint32_t here = assembly_count(generator->assembly, SECTION_INSTRUCTIONS);
    for (const struct jump *jump = label->jumps; jump; jump = jump->next) {
        struct program_instruction *instruction =
            assembly_entry(generator->assembly, SECTION_INSTRUCTIONS, jump->instruction);
        instruction->immediate = (int32_t)(here - jump->instruction - 1);
    }
}

unsigned generate_register(struct generator *generator) {
    if (generator->next >= PROGRAM_REGISTERS)
        compile_fail(generator->compilation, generator->at, "D_NOREG",
                     "insufficient registers to generate code: the expression is nested too deeply");
    return generator->next++;
}

unsigned generate_number(struct generator *generator, int64_t value) {
    unsigned reg = generate_register(generator);
    if (value >= INT32_MIN && value <= INT32_MAX)
        emit(generator, OP_SET, reg, 0, 0, (int32_t)value);
    else
        emit(generator, OP_SET_LONG, reg, 0, 0, (int32_t)assembly_integer(generator->assembly, value));
    return reg;
}

/* The result of an expression is in `reg`, and what lies above is free again. */
static unsigned result(struct generator *generator, unsigned reg) {
    generator->next = reg + 1;
    return reg;
}

/* --- integers of all widths --- */

bool type_is_held_as_string(const struct type *type) {
    enum type_kind kind = type_resolve(type)->kind;
    return kind == TYPE_STRING || kind == TYPE_STACK;
}

static bool is_unsigned(const struct type *type) {
    type = type_resolve(type);
    return (type->kind != TYPE_INTEGER && type->kind != TYPE_ENUM) || !type->is_signed;
}

/* Cuts a register to the width of `type`. */
static void narrow(struct generator *generator, unsigned reg, const struct type *type) {
    type = type_resolve(type);
    if (type->size > 0 && type->size < 8)
        emit(generator, is_unsigned(type) ? OP_TRUNCATE : OP_EXTEND, reg, reg, 0, (int32_t)type->size * 8);
}

static void convert(struct generator *generator, unsigned reg, const struct type *from,
                    const struct type *to) {
    const struct type *one = type_resolve(from), *other = type_resolve(to);
    bool fits = one->size == other->size
                    ? is_unsigned(one) == is_unsigned(other)
                    : one->size > 0 && one->size < other->size && (is_unsigned(one) || !is_unsigned(other));
    if (!fits)
        narrow(generator, reg, to);
}

static void load_memory(struct generator *generator, unsigned reg, const struct type *type) {
    const struct type *real = type_resolve(type);
    if (type_is_by_address(real))
        return;
    if (real->kind == TYPE_STRING) {
        emit(generator, OP_CALL, reg, reg, 1, SUBROUTINE_STRINGOF);
        return;
    }
    int32_t width = real->size == 1 || real->size == 2 || real->size == 4 ? (int32_t)real->size : 8;
    emit(generator, OP_READ, reg, reg, 0, is_unsigned(real) ? width : -width);
}

/* --- what can be assigned to --- */

enum place_kind { PLACE_VARIABLE, PLACE_ELEMENT, PLACE_MEMORY };

struct place {
    enum place_kind kind;
    int32_t variable;                 /* index in the program */
    unsigned reg;                     /* of the first key, or of the address */
    unsigned keys;                    /* how many */
    const struct type *type;          /* of what is there */
    const struct type_member *member; /* a bit-field; or NULL */
};

static uint8_t kind_of(const struct type *type) {
    return type_is_held_as_string(type) ? VALUE_STRING : VALUE_INTEGER;
}

/* A struct, union or array as a key is its bytes, in so many integers. */
static unsigned words_of_key(const struct type *type) {
    return type_is_by_address(type) && !type_is_text(type) ? (unsigned)((type_resolve(type)->size + 7) / 8)
                                                           : 1;
}

/* How many keys of the program the keys of the identifier are. */
static unsigned count_keys(struct generator *generator, const struct identifier *identifier) {
    size_t count = 0;
    for (unsigned i = 0; i < identifier->key_count; i++)
        count += words_of_key(identifier->keys[i]);
    if (count > PROGRAM_KEYS_MAX)
        compile_fail(generator->compilation, generator->at, "D_PROTO_LEN",
                     "the keys of %s%s[ ] have %zu words; at most %d are possible",
                     identifier_prefix(identifier->space), identifier->name, count, PROGRAM_KEYS_MAX);
    return (unsigned)count;
}

static uint32_t add_kinds(struct generator *generator, const struct identifier *identifier) {
    uint32_t first = assembly_count(generator->assembly, SECTION_KINDS);
    for (unsigned i = 0; i < identifier->key_count; i++) {
        uint8_t kind = type_is_text(identifier->keys[i]) ? VALUE_STRING : kind_of(identifier->keys[i]);
        for (unsigned words = words_of_key(identifier->keys[i]); words > 0; words--)
            assembly_add(generator->assembly, SECTION_KINDS, &kind);
    }
    return first;
}

/* The variable's index in the program, to which it is added when it is first used. */
static int32_t variable_index(struct generator *generator, struct identifier *identifier) {
    static const uint8_t scopes[] = {
        [SPACE_GLOBALS] = SCOPE_GLOBAL, [SPACE_THREAD] = SCOPE_THREAD, [SPACE_LOCALS] = SCOPE_CLAUSE};
    if (identifier->in_program)
        return (int32_t)identifier->index;
    const struct type *type = type_resolve(identifier->type);
    bool by_address = type_is_by_address(type);
    if (by_address && type->size > PROGRAM_BYTES_MAX)
        compile_fail(generator->compilation, generator->at, "D_DECL_SIZE",
                     "%s%s has %zu bytes; at most %d are possible", identifier_prefix(identifier->space),
                     identifier->name, type->size, PROGRAM_BYTES_MAX);
    const struct program_variable variable = {
        .name = assembly_string(generator->assembly, identifier->name),
        .scope = scopes[identifier->space],
        .kind = kind_of(type),
        .by_address = by_address,
        .keys = (uint8_t)count_keys(generator, identifier),
        .first_key = add_kinds(generator, identifier),
        .size = by_address || type->kind == TYPE_STRING ? (uint32_t)type->size : 8,
    };
    identifier->index = assembly_add(generator->assembly, SECTION_VARIABLES, &variable);
    identifier->in_program = true;
    return (int32_t)identifier->index;
}

static bool is_symbol_call(const struct node *node) {
    return node->kind == NODE_CALL && type_resolve(node->type)->kind == TYPE_SYMBOL;
}

/* The bytes of a struct, eight to a register; what is left over comes as its largest parts, one beside the
 * other. */
static void generate_key_words(struct generator *generator, struct node *key, const struct type *type) {
    size_t size = type_resolve(type)->size;
    unsigned words = words_of_key(type), first = generator->next;
    unsigned address = generate_value(generator, key);
    for (unsigned i = 1; i <= words; i++) /* the address goes behind the words */
        generate_register(generator);
    emit(generator, OP_MOVE, first + words, address, 0, 0);
    for (unsigned i = 0; i < words; i++) {
        size_t at = 8 * (size_t)i, left = size - at < 8 ? size - at : 8;
        unsigned word = first + i, part = generate_register(generator), place = generate_register(generator);
        emit(generator, OP_SET, word, 0, 0, 0);
        for (size_t done = 0; done < left;) {
            size_t width = left - done >= 8 ? 8 : left - done >= 4 ? 4 : left - done >= 2 ? 2 : 1;
            unsigned shift = generate_number(generator, (int64_t)(8 * done));
            emit(generator, OP_ADD_NUMBER, place, first + words, 0, (int32_t)(at + done));
            emit(generator, OP_READ, part, place, 0, (int32_t)width);
            emit(generator, OP_SHIFT_LEFT, part, part, shift, 0);
            emit(generator, OP_OR, word, word, part, 0);
            generator->next = shift;
            done += width;
        }
        generator->next = part;
    }
    generator->next = first + words;
}

unsigned generate_keys(struct generator *generator, struct node *keys, const struct identifier *identifier) {
    unsigned first = generator->next, i = 0;
    for (struct node *key = keys; key; key = key->next) {
        const struct type *type = identifier->keys[i++];
        if (type_is_text(type))
            generate_text(generator, key);
        else if (type_is_by_address(type))
            generate_key_words(generator, key, type);
        else if (is_symbol_call(key)) /* nowhere else may one stand */
            generate_integer(generator, key->list);
        else
            generate_as(generator, key, type);
    }
    return first;
}

static bool is_keyed(const struct node *node) {
    return node->kind == NODE_ARRAY && node->identifier && node->identifier->kind == IDENTIFIER_ARRAY;
}

static unsigned generate_address(struct generator *generator, struct node *node);

/* base[index] of a C array, which is checked, or a pointer, which is not. */
static unsigned generate_element_address(struct generator *generator, struct node *node) {
    const struct type *base = type_resolve(node->left->type), *element = type_resolve(node->type);
    unsigned reg = generate_integer(generator, node->left);
    unsigned index = generate_integer(generator, node->list);
    if (base->kind == TYPE_ARRAY && base->count > 0) {
        struct label good = {0};
        unsigned count = generate_number(generator, (int64_t)base->count);
        emit(generator, OP_LESS_UNSIGNED, count, index, count, 0);
        emit_jump(generator, OP_JUMP_IF, count, &good);
        if (element->size > 1) { /* DTrace tells the index by the offset, which is unsigned */
            unsigned size = generate_number(generator, (int64_t)element->size);
            emit(generator, OP_MULTIPLY, index, index, size, 0);
            emit(generator, OP_DIVIDE_UNSIGNED, index, index, size, 0);
            generator->next = size;
        }
        emit(generator, OP_FAIL, 0, index, 0, FAULT_BAD_INDEX);
        place_label(generator, &good);
    }
    if (element->size != 1) {
        unsigned size = generate_number(generator, (int64_t)element->size);
        emit(generator, OP_MULTIPLY, index, index, size, 0);
    }
    emit(generator, OP_ADD, reg, reg, index, 0);
    return result(generator, reg);
}

/* A member of what NULL points to is an error of the pointer: its address is 0, not the member's. */
static void check_pointer(struct generator *generator, const struct node *node, unsigned reg) {
    struct label good = {0};
    if (node->kind != NODE_ARROW && (node->left->kind != NODE_UNARY || node->left->op != '*'))
        return;
    emit_jump(generator, OP_JUMP_IF, reg, &good);
    emit(generator, OP_FAIL, 0, reg, 0, FAULT_BAD_ADDRESS);
    place_label(generator, &good);
}

static unsigned generate_address(struct generator *generator, struct node *node) {
    unsigned reg;
    switch (node->kind) {
    case NODE_UNARY:
        return generate_integer(generator, node->left);
    case NODE_MEMBER:
    case NODE_ARROW:
        reg = node->kind == NODE_ARROW ? generate_integer(generator, node->left)
                                       : generate_value(generator, node->left);
        if (node->member->offset) {
            check_pointer(generator, node, reg);
            emit(generator, OP_ADD_NUMBER, reg, reg, 0, (int32_t)node->member->offset);
        }
        return reg;
    case NODE_ARRAY:
        return generate_element_address(generator, node);
    default:
        return generate_value(generator, node);
    }
}

static struct place find_place(struct generator *generator, struct node *node) {
    struct place place = {.type = node->type};
    generator->at = node;
    if (is_keyed(node)) {
        place.kind = PLACE_ELEMENT;
        place.variable = variable_index(generator, node->identifier);
        place.keys = count_keys(generator, node->identifier);
        place.reg = generate_keys(generator, node->list, node->identifier);
    } else if (node->kind == NODE_NAME) {
        place.kind = PLACE_VARIABLE;
        place.variable = variable_index(generator, node->identifier);
    } else {
        place.kind = PLACE_MEMORY;
        if ((node->kind == NODE_MEMBER || node->kind == NODE_ARROW) && node->member->bits)
            place.member = node->member;
        place.reg = generate_address(generator, node);
    }
    return place;
}

static void load_bit_field(struct generator *generator, unsigned reg, const struct type_member *member) {
    emit(generator, OP_READ, reg, reg, 0, (int32_t)member->unit);
    emit(generator, is_unsigned(member->type) ? OP_TRUNCATE : OP_EXTEND, reg, reg, 0, (int32_t)member->bits);
}

/* What is at the place, into `dst`. */
static void load_place(struct generator *generator, const struct place *place, unsigned dst) {
    bool by_address = type_is_by_address(place->type);
    switch (place->kind) {
    case PLACE_VARIABLE:
        emit(generator, by_address ? OP_ADDRESS : OP_LOAD, dst, 0, 0, place->variable);
        return;
    case PLACE_ELEMENT:
        emit(generator, by_address ? OP_ADDRESS_KEYED : OP_LOAD_KEYED, dst, place->reg, place->keys,
             place->variable);
        return;
    case PLACE_MEMORY:
        if (dst != place->reg)
            emit(generator, OP_MOVE, dst, place->reg, 0, 0);
        if (place->member)
            load_bit_field(generator, dst, place->member);
        else
            load_memory(generator, dst, place->type);
    }
}

/* Bits of a unit in memory: the others stay as they are. `src` keeps its value. */
static void store_bit_field(struct generator *generator, const struct place *place, unsigned src) {
    const struct type_member *member = place->member;
    int32_t width = (int32_t)member->unit;
    uint64_t mask = member->bits >= 64 ? UINT64_MAX : (UINT64_C(1) << member->bits) - 1;
    unsigned unit = generate_register(generator);
    emit(generator, OP_READ, unit, place->reg, 0, width);
    unsigned other = generate_number(generator, (int64_t)~mask);
    emit(generator, OP_AND, unit, unit, other, 0);
    result(generator, unit);
    unsigned value = generate_number(generator, (int64_t)mask);
    emit(generator, OP_AND, value, src, value, 0);
    emit(generator, OP_OR, unit, unit, value, 0);
    emit(generator, OP_WRITE, place->reg, unit, 0, width);
    generator->next = unit;
}

/* The bytes of a string to memory, with the '\0'. */
static void store_characters(struct generator *generator, unsigned address, unsigned src) {
    unsigned from = generate_register(generator);
    unsigned to = generate_register(generator);
    unsigned length = generate_register(generator);
    emit(generator, OP_STRING_ADDRESS, from, src, 0, 0);
    emit(generator, OP_MOVE, to, address, 0, 0);
    emit(generator, OP_CALL, length, src, 1, SUBROUTINE_STRLEN);
    emit(generator, OP_ADD_NUMBER, length, length, 0, 1);
    emit(generator, OP_CALL, from, from, 3, SUBROUTINE_BCOPY);
    generator->next = from;
}

static void store_place(struct generator *generator, const struct place *place, unsigned src) {
    const struct type *type = type_resolve(place->type);
    if (type_is_by_address(type)) {
        unsigned address = place->reg;
        unsigned next = generator->next;
        if (place->kind != PLACE_MEMORY) {
            address = generate_register(generator);
            load_place(generator, place, address);
        }
        emit(generator, OP_COPY, address, src, 0, (int32_t)type->size);
        generator->next = next;
        return;
    }
    switch (place->kind) {
    case PLACE_VARIABLE:
        emit(generator, OP_STORE, 0, src, 0, place->variable);
        return;
    case PLACE_ELEMENT:
        emit(generator, OP_STORE_KEYED, src, place->reg, place->keys, place->variable);
        return;
    case PLACE_MEMORY:
        if (place->member)
            store_bit_field(generator, place, src);
        else if (type->kind == TYPE_STRING)
            store_characters(generator, place->reg, src);
        else
            emit(generator, OP_WRITE, place->reg, src, 0,
                 type->size == 1 || type->size == 2 || type->size == 4 ? (int32_t)type->size : 8);
    }
}

/* --- operators --- */

static enum opcode arithmetic_opcode(int op, bool is_unsigned_type) {
    static const struct {
        int op;
        enum opcode plain, of_unsigned;
    } opcodes[] = {
        {'+', OP_ADD, OP_ADD},
        {'-', OP_SUBTRACT, OP_SUBTRACT},
        {'*', OP_MULTIPLY, OP_MULTIPLY},
        {'/', OP_DIVIDE, OP_DIVIDE_UNSIGNED},
        {'%', OP_REMAINDER, OP_REMAINDER_UNSIGNED},
        {'&', OP_AND, OP_AND},
        {'|', OP_OR, OP_OR},
        {'^', OP_XOR, OP_XOR},
        {TOKEN_SHIFT_LEFT, OP_SHIFT_LEFT, OP_SHIFT_LEFT},
        {TOKEN_SHIFT_RIGHT, OP_SHIFT_RIGHT, OP_SHIFT_RIGHT_UNSIGNED},
    };
    for (size_t i = 0; i < sizeof opcodes / sizeof *opcodes; i++)
        if (opcodes[i].op == op)
            return is_unsigned_type ? opcodes[i].of_unsigned : opcodes[i].plain;
    return OP_COUNT;
}

static bool is_address(const struct type *type) {
    return type_is_pointer(type) || type_is_string(type);
}

static size_t size_behind(const struct type *type) {
    type = type_resolve(type);
    return type->kind == TYPE_STRING ? 1 : type_resolve(type->base)->size;
}

/* pointer + number, pointer - number: the number is scaled. */
static void offset_pointer(struct generator *generator, int op, unsigned pointer, unsigned number,
                           const struct type *type) {
    size_t size = size_behind(type);
    if (size != 1) {
        unsigned next = generator->next;
        unsigned factor = generate_number(generator, (int64_t)size);
        emit(generator, OP_MULTIPLY, number, number, factor, 0);
        generator->next = next;
    }
    emit(generator, op == '-' ? OP_SUBTRACT : OP_ADD, pointer, pointer, number, 0);
}

static unsigned generate_arithmetic(struct generator *generator, struct node *node) {
    struct node *left = node->left, *right = node->right;
    if (is_address(left->type) && is_address(right->type)) {
        unsigned reg = generate_integer(generator, left);
        unsigned other = generate_integer(generator, right);
        emit(generator, OP_SUBTRACT, reg, reg, other, 0);
        if (size_behind(left->type) > 1) {
            unsigned size = generate_number(generator, (int64_t)size_behind(left->type));
            emit(generator, OP_DIVIDE, reg, reg, size, 0);
        }
        return result(generator, reg);
    }
    if (is_address(left->type) || is_address(right->type)) {
        unsigned reg = generate_integer(generator, left);
        unsigned other = generate_integer(generator, right);
        if (is_address(left->type)) {
            offset_pointer(generator, node->op, reg, other, left->type);
        } else {
            offset_pointer(generator, node->op, other, reg, right->type);
            emit(generator, OP_MOVE, reg, other, 0, 0);
        }
        return result(generator, reg);
    }
    unsigned reg = generate_integer(generator, left);
    if (node->op == '+' && right->kind == NODE_INTEGER && (int64_t)right->value >= INT32_MIN &&
        (int64_t)right->value <= INT32_MAX) {
        emit(generator, OP_ADD_NUMBER, reg, reg, 0, (int32_t)right->value);
        return result(generator, reg);
    }
    unsigned other = generate_integer(generator, right);
    emit(generator, arithmetic_opcode(node->op, is_unsigned(node->type)), reg, reg, other, 0);
    return result(generator, reg);
}

/* A comparison as one of <, <=, == of the operands in this or the other order, perhaps negated. */
static const struct comparison {
    int op;
    enum opcode of_signed, of_unsigned;
    bool swapped;
} comparisons[] = {
    {TOKEN_EQUAL, OP_EQUAL, OP_EQUAL, false},
    {TOKEN_NOT_EQUAL, OP_NOT_EQUAL, OP_NOT_EQUAL, false},
    {'<', OP_LESS, OP_LESS_UNSIGNED, false},
    {'>', OP_LESS, OP_LESS_UNSIGNED, true},
    {TOKEN_LESS_EQUAL, OP_LESS_EQUAL, OP_LESS_EQUAL_UNSIGNED, false},
    {TOKEN_GREATER_EQUAL, OP_LESS_EQUAL, OP_LESS_EQUAL_UNSIGNED, true},
};

static const struct comparison *find_comparison(int op) {
    for (size_t i = 0; i < sizeof comparisons / sizeof *comparisons; i++)
        if (comparisons[i].op == op)
            return &comparisons[i];
    return NULL;
}

/* As texts, not as addresses? */
static bool compares_strings(const struct node *node) {
    const struct node *left = node->left, *right = node->right;
    return type_is_text(left->type) && type_is_text(right->type) &&
           (type_is_string(left->type) || type_is_string(right->type));
}

/* -1, 0, 1 */
static unsigned generate_string_order(struct generator *generator, struct node *node) {
    unsigned reg = generate_text(generator, node->left);
    unsigned other = generate_text(generator, node->right);
    emit(generator, OP_COMPARE_STRINGS, reg, reg, other, 0);
    return result(generator, reg);
}

static unsigned generate_comparison(struct generator *generator, struct node *node) {
    const struct comparison *comparison = find_comparison(node->op);
    bool of_unsigned = true;
    unsigned reg, other;
    if (compares_strings(node)) {
        reg = generate_string_order(generator, node);
        other = generate_number(generator, 0);
        of_unsigned = false;
    } else {
        reg = generate_integer(generator, node->left);
        other = generate_integer(generator, node->right);
        of_unsigned = is_address(node->left->type) || is_address(node->right->type) ||
                      is_unsigned(cook_promoted(generator->compilation, node->left->type, node->right->type));
    }
    emit(generator, of_unsigned ? comparison->of_unsigned : comparison->of_signed, reg,
         comparison->swapped ? other : reg, comparison->swapped ? reg : other, 0);
    return result(generator, reg);
}

/* 1 or 0, by jumps. */
static unsigned generate_truth(struct generator *generator, struct node *node) {
    struct label no = {0}, end = {0};
    unsigned reg = generate_register(generator);
    generate_branch(generator, node, false, &no);
    emit(generator, OP_SET, reg, 0, 0, 1);
    emit_jump(generator, OP_JUMP, 0, &end);
    place_label(generator, &no);
    emit(generator, OP_SET, reg, 0, 0, 0);
    place_label(generator, &end);
    return result(generator, reg);
}

static unsigned generate_exclusive_or(struct generator *generator, struct node *node) {
    unsigned reg = generate_integer(generator, node->left);
    emit(generator, OP_NOT, reg, reg, 0, 0);
    unsigned other = generate_integer(generator, node->right);
    emit(generator, OP_NOT, other, other, 0, 0);
    emit(generator, OP_XOR, reg, reg, other, 0);
    return result(generator, reg);
}

void generate_branch(struct generator *generator, struct node *node, bool sense, struct label *label) {
    generator->at = node;
    unsigned base = generator->next;
    bool is_binary = node->kind == NODE_BINARY;
    if (is_binary && (node->op == TOKEN_LOGICAL_AND || node->op == TOKEN_LOGICAL_OR)) {
        bool is_and = node->op == TOKEN_LOGICAL_AND;
        struct label skip = {0};
        generate_branch(generator, node->left, !is_and, is_and == sense ? &skip : label);
        generate_branch(generator, node->right, sense, label);
        place_label(generator, &skip);
    } else if (node->kind == NODE_UNARY && node->op == '!') {
        generate_branch(generator, node->left, !sense, label);
    } else if (node->kind == NODE_INTEGER) {
        if ((node->value != 0) == sense)
            emit_jump(generator, OP_JUMP, 0, label);
    } else if (is_binary && compares_strings(node) &&
               (node->op == TOKEN_EQUAL || node->op == TOKEN_NOT_EQUAL)) {
        unsigned reg = generate_string_order(generator, node);
        bool jump_if_same = (node->op == TOKEN_EQUAL) == sense;
        emit_jump(generator, jump_if_same ? OP_JUMP_UNLESS : OP_JUMP_IF, reg, label);
    } else {
        unsigned reg = generate_integer(generator, node);
        emit_jump(generator, sense ? OP_JUMP_IF : OP_JUMP_UNLESS, reg, label);
    }
    generator->next = base;
}

static unsigned generate_binary(struct generator *generator, struct node *node) {
    switch (node->op) {
    case ',':
        generator->next = generate_value(generator, node->left);
        return generate_value(generator, node->right);
    case TOKEN_LOGICAL_AND:
    case TOKEN_LOGICAL_OR:
        return generate_truth(generator, node);
    case TOKEN_LOGICAL_XOR:
        return generate_exclusive_or(generator, node);
    default:
        return find_comparison(node->op) ? generate_comparison(generator, node)
                                         : generate_arithmetic(generator, node);
    }
}

/* --- assignments --- */

static unsigned generate_assign(struct generator *generator, struct node *node) {
    struct node *left = node->left, *right = node->right;
    if (node->op == '=') {
        unsigned reg = generate_as(generator, right, left->type);
        struct place place = find_place(generator, left);
        store_place(generator, &place, reg);
        return result(generator, reg);
    }
    int op = cook_plain_operator(node->op);
    unsigned reg = generate_register(generator);
    struct place place = find_place(generator, left);
    load_place(generator, &place, reg);
    if (is_address(left->type)) {
        unsigned other = generate_integer(generator, right);
        offset_pointer(generator, op, reg, other, left->type);
    } else {
        bool is_shift = op == TOKEN_SHIFT_LEFT || op == TOKEN_SHIFT_RIGHT;
        const struct type *type =
            is_shift ? left->type : cook_promoted(generator->compilation, left->type, right->type);
        unsigned other = generate_integer(generator, right);
        emit(generator, arithmetic_opcode(op, is_unsigned(type)), reg, reg, other, 0);
        narrow(generator, reg, left->type);
    }
    if (place.member)
        emit(generator, is_unsigned(left->type) ? OP_TRUNCATE : OP_EXTEND, reg, reg, 0,
             (int32_t)place.member->bits);
    store_place(generator, &place, reg);
    return result(generator, reg);
}

/* ++ and --: the value before, or the value after. */
static unsigned generate_step(struct generator *generator, struct node *node) {
    const struct type *type = node->left->type;
    int32_t step = is_address(type) ? (int32_t)size_behind(type) : 1;
    if (node->op == TOKEN_DECREMENT)
        step = -step;
    unsigned reg = generate_register(generator);
    struct place place = find_place(generator, node->left);
    load_place(generator, &place, reg);
    unsigned stepped = node->kind == NODE_POSTFIX ? generate_register(generator) : reg;
    emit(generator, OP_ADD_NUMBER, stepped, reg, 0, step);
    narrow(generator, stepped, type);
    store_place(generator, &place, stepped);
    return result(generator, reg);
}

/* --- the other expressions --- */

static unsigned generate_unary(struct generator *generator, struct node *node) {
    unsigned reg;
    switch (node->op) {
    case TOKEN_INCREMENT:
    case TOKEN_DECREMENT:
        return generate_step(generator, node);
    case '*':
        reg = generate_address(generator, node);
        load_memory(generator, reg, node->type);
        return result(generator, reg);
    case '&':
        return generate_address(generator, node->left);
    case KEYWORD_STRINGOF:
        return generate_text(generator, node->left);
    case '!':
        reg = generate_integer(generator, node->left);
        emit(generator, OP_NOT, reg, reg, 0, 0);
        return reg;
    case '+':
        return generate_integer(generator, node->left);
    default:
        reg = generate_integer(generator, node->left);
        emit(generator, node->op == '-' ? OP_NEGATE : OP_COMPLEMENT, reg, reg, 0, 0);
        return reg;
    }
}

static unsigned generate_ternary(struct generator *generator, struct node *node) {
    struct label no = {0}, end = {0};
    unsigned reg = generator->next;
    generate_branch(generator, node->condition, false, &no);
    generate_as(generator, node->left, node->type);
    emit_jump(generator, OP_JUMP, 0, &end);
    place_label(generator, &no);
    generator->next = reg;
    generate_as(generator, node->right, node->type);
    place_label(generator, &end);
    return result(generator, reg);
}

static unsigned generate_name(struct generator *generator, struct node *node) {
    unsigned reg = generate_register(generator);
    if (node->identifier->kind == IDENTIFIER_BUILTIN) {
        emit(generator, OP_BUILTIN, reg, 0, 0, (int32_t)node->identifier->index);
    } else {
        struct place place = find_place(generator, node);
        load_place(generator, &place, reg);
    }
    return result(generator, reg);
}

static unsigned generate_array(struct generator *generator, struct node *node) {
    unsigned reg;
    if (is_keyed(node)) {
        struct place place = find_place(generator, node);
        reg = place.keys ? place.reg : generate_register(generator);
        load_place(generator, &place, reg);
        return result(generator, reg);
    }
    reg = generate_element_address(generator, node);
    load_memory(generator, reg, node->type);
    return result(generator, reg);
}

static unsigned generate_member(struct generator *generator, struct node *node) {
    unsigned reg = generate_address(generator, node);
    if (node->member->bits)
        load_bit_field(generator, reg, node->member);
    else
        load_memory(generator, reg, node->type);
    return result(generator, reg);
}

/* What is passed for an argument that the program left out. */
static int64_t default_argument(const struct generator *generator, unsigned subroutine) {
    int64_t strsize = (int64_t)type_inner(generator->compilation->types, TYPE_STRING)->size;
    switch (subroutine) {
    case SUBROUTINE_COPYINSTR:
    case SUBROUTINE_SUBSTR:
        return strsize;
    case SUBROUTINE_RINDEX:
        return INT32_MAX;
    case SUBROUTINE_LLTOSTR:
    case SUBROUTINE_STRTOLL:
        return 10;
    default:
        return 0;
    }
}

static unsigned generate_subroutine(struct generator *generator, struct node *node, unsigned subroutine) {
    static const char *const operands[] = {
#define SUBROUTINE(name, text, result, operands, fewest, type, prototype) operands,
        PROGRAM_SUBROUTINES(SUBROUTINE)
#undef SUBROUTINE
    };
    unsigned reg = generate_register(generator);
    struct node *argument = node->list;
    unsigned count = 0;
    generator->next = reg;
    for (const char *operand = operands[subroutine]; *operand; operand++, count++) {
        if (!argument)
            generate_number(generator, default_argument(generator, subroutine));
        else if (*operand == 'S')
            generate_text(generator, argument);
        else
            generate_integer(generator, argument);
        argument = argument ? argument->next : NULL;
    }
    emit(generator, OP_CALL, reg, reg, count, (int32_t)subroutine);
    return result(generator, reg);
}

static unsigned generate_call(struct generator *generator, struct node *node) {
    const struct function *function = &functions[node->identifier->index];
    if (function->kind == FUNCTION_SUBROUTINE)
        return generate_subroutine(generator, node, function->index);
    if (function->kind == FUNCTION_ACTION && function->index == ACTION_STACK) {
        unsigned reg = generate_register(generator);
        generate_stack(generator, node, reg);
        return result(generator, reg);
    }
    compile_fail(generator->compilation, node, "D_CG_EXPR",
                 "%s %s( ) may not be called from a D expression (D program context required)",
                 identifier_kind_name(node->identifier), function->name);
}

static unsigned generate_integer_constant(struct generator *generator, struct node *node) {
    return generate_number(generator, (int64_t)node->value);
}

static unsigned generate_string(struct generator *generator, struct node *node) {
    unsigned reg = generate_register(generator);
    emit(generator, OP_SET_STRING, reg, 0, 0,
         (int32_t)assembly_string(generator->assembly, memory_copy(generator->compilation->memory, node->text,
                                                                   node->text_length)));
    return reg;
}

static unsigned generate_cast(struct generator *generator, struct node *node) {
    if (type_resolve(node->type)->kind == TYPE_VOID) {
        unsigned reg = generate_value(generator, node->left);
        return result(generator, reg);
    }
    return generate_as(generator, node->left, node->type);
}

static unsigned generate_dynamic(struct generator *generator, struct node *node) {
    compile_fail(generator->compilation, node, "D_CG_DYN",
                 "expression cannot evaluate to result of dynamic type");
}

/* As a whole only where nothing is done with it, as cook.c refuses the rest: curpsinfo; xlate <t *> (p); */
static unsigned generate_translation(struct generator *generator, struct node *node) {
    if (node->left)
        return generate_value(generator, node->left);
    unsigned reg = generate_register(generator);
    emit(generator, OP_SET, reg, 0, 0, 0);
    return reg;
}

typedef unsigned generate_function(struct generator *generator, struct node *node);

static generate_function *const generators[] = {
    [NODE_INTEGER] = generate_integer_constant,
    [NODE_STRING] = generate_string,
    [NODE_NAME] = generate_name,
    [NODE_ARRAY] = generate_array,
    [NODE_CALL] = generate_call,
    [NODE_UNARY] = generate_unary,
    [NODE_POSTFIX] = generate_step,
    [NODE_BINARY] = generate_binary,
    [NODE_ASSIGN] = generate_assign,
    [NODE_TERNARY] = generate_ternary,
    [NODE_CAST] = generate_cast,
    [NODE_MEMBER] = generate_member,
    [NODE_ARROW] = generate_member,
    [NODE_AGGREGATION] = generate_dynamic,
    [NODE_XLATE] = generate_translation,
};

unsigned generate_value(struct generator *generator, struct node *node) {
    generator->at = node;
    return generators[node->kind](generator, node);
}

unsigned generate_integer(struct generator *generator, struct node *node) {
    unsigned reg = generate_value(generator, node);
    if (type_is_held_as_string(node->type))
        emit(generator, OP_STRING_ADDRESS, reg, reg, 0, 0);
    return reg;
}

/* NULL, 0, (char *)0 */
static bool is_null(const struct node *node) {
    while (node->kind == NODE_CAST)
        node = node->left;
    return node->kind == NODE_INTEGER && node->value == 0;
}

unsigned generate_text(struct generator *generator, struct node *node) {
    if (type_is_held_as_string(node->type))
        return generate_value(generator, node);
    if (is_null(node)) {
        unsigned reg = generate_register(generator);
        emit(generator, OP_SET_NULL, reg, 0, 0, 0);
        return reg;
    }
    const struct type *type = type_resolve(node->type);
    unsigned reg = generate_value(generator, node);
    if (type->kind == TYPE_ARRAY && type->count > 0) {
        generate_number(generator, (int64_t)type->count + 1); /* there may be no '\0' */
        emit(generator, OP_CALL, reg, reg, 2, SUBROUTINE_COPYINSTR);
    } else {
        emit(generator, OP_CALL, reg, reg, 1, SUBROUTINE_STRINGOF);
    }
    return result(generator, reg);
}

/* Is the value in the register within the range of its type? Arithmetic may leave it. */
static bool is_exact(const struct node *node) {
    switch (node->kind) {
    case NODE_UNARY:
        return node->op == '!' || node->op == '*' || node->op == TOKEN_INCREMENT ||
               node->op == TOKEN_DECREMENT;
    case NODE_BINARY:
        return node->op == ',' ? is_exact(node->right) : arithmetic_opcode(node->op, false) == OP_COUNT;
    default:
        return true;
    }
}

unsigned generate_as(struct generator *generator, struct node *node, const struct type *type) {
    if (type_is_held_as_string(type))
        return generate_text(generator, node);
    if (node->kind == NODE_INTEGER && type_is_scalar(type))
        return generate_number(generator, fold_cut(node->value, type));
    unsigned reg = generate_integer(generator, node);
    if (!type_is_scalar(type) || !type_is_scalar(node->type))
        return reg;
    if (is_exact(node))
        convert(generator, reg, node->type, type);
    else
        narrow(generator, reg, type);
    return reg;
}
