/*
 * actions.c: statements that record or act: each action's own checks, in DTrace's words, and its code.
 */
#include "calls.h"
#include "generate.h"
#include "layout.h"
#include "program/format.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- records --- */

static void begin_action(struct generator *generator, enum action kind) {
    const struct program_action action = {.kind = (uint8_t)kind,
                                          .first_field = assembly_count(generator->assembly, SECTION_FIELDS)};
    generator->action = assembly_add(generator->assembly, SECTION_ACTIONS, &action);
    generator->clause.actions++;
}

static struct program_action *this_action(struct generator *generator) {
    return assembly_entry(generator->assembly, SECTION_ACTIONS, generator->action);
}

static void add_field(struct generator *generator, enum field_kind kind, const struct type *type,
                      size_t size) {
    char name[128];
    const struct type *real = type_resolve(type);
    const struct program_field field = {
        .kind = (uint8_t)kind,
        .is_signed = (real->kind == TYPE_INTEGER || real->kind == TYPE_ENUM) && real->is_signed,
        .flags = real->kind == TYPE_SYMBOL ? FIELD_IS_ADDRESS : 0,
        .size = (uint32_t)size,
        .type = assembly_string(generator->assembly, type_print(type, name, sizeof name)),
    };
    assembly_add(generator->assembly, SECTION_FIELDS, &field);
}

static void emit_field(struct generator *generator, enum field_kind kind, const struct type *type,
                       size_t size, unsigned reg, unsigned length) {
    static const enum opcode opcodes[] = {
        [FIELD_INTEGER] = OP_EMIT_INTEGER,
        [FIELD_STRING] = OP_EMIT_STRING,
        [FIELD_STACK] = OP_EMIT_STRING,
        [FIELD_BYTES] = OP_EMIT_BYTES,
    };
    add_field(generator, kind, type, size);
    this_action(generator)->fields++;
    emit(generator, opcodes[kind], 0, reg, length, (int32_t)generator->action);
}

static size_t string_size(const struct generator *generator) {
    return type_inner(generator->compilation->types, TYPE_STRING)->size;
}

static void record_integer(struct generator *generator, struct node *node, const char *type) {
    const struct type *wanted = type_named(generator->compilation->types, type);
    unsigned reg = generate_as(generator, node, wanted);
    emit_field(generator, FIELD_INTEGER, wanted, wanted->size, reg, 0);
    generator->next = reg;
}

static void record_number(struct generator *generator, int64_t value, const char *type) {
    const struct type *wanted = type_named(generator->compilation->types, type);
    unsigned reg = generate_number(generator, value);
    emit_field(generator, FIELD_INTEGER, wanted, wanted->size, reg, 0);
    generator->next = reg;
}

static void record_text(struct generator *generator, struct node *node) {
    unsigned reg = generate_text(generator, node);
    emit_field(generator, FIELD_STRING, type_inner(generator->compilation->types, TYPE_STRING),
               string_size(generator), reg, 0);
    generator->next = reg;
}

static void record_bytes(struct generator *generator, unsigned address, const struct type *type,
                         size_t size) {
    unsigned length = generate_number(generator, (int64_t)size);
    emit_field(generator, FIELD_BYTES, type, size, address, length);
    generator->next = address;
}

/* A value as its type has it. */
static void record_value(struct generator *generator, struct node *node) {
    const struct type *type = type_resolve(node->type);
    bool is_characters =
        type->kind == TYPE_ARRAY && type_is_text(type) && type_resolve(type->base)->is_signed;
    if (type->kind == TYPE_STRING || is_characters) {
        record_text(generator, node);
        return;
    }
    unsigned reg =
        type_is_scalar(type) ? generate_as(generator, node, type) : generate_value(generator, node);
    if (type->kind == TYPE_STACK)
        emit_field(generator, FIELD_STACK, type, 0, reg, 0);
    else if (type_is_by_address(type))
        record_bytes(generator, reg, node->type, type->size);
    else
        emit_field(generator, FIELD_INTEGER, node->type, type->size, reg, 0);
    generator->next = reg;
}

/* --- what may follow what --- */

static void note_record(struct generator *generator, const struct node *call) {
    if (generator->commits)
        compile_fail(generator->compilation, call, "D_DREC_COMM",
                     "data-recording actions may not follow commit( )");
    generator->records = true;
}

static void forbid_speculation(struct generator *generator, const struct node *call) {
    if (generator->speculates)
        compile_fail(generator->compilation, call, "D_ACT_SPEC",
                     "destructive actions may not follow speculate( )");
}

/* --- aggregations --- */

static void set_parameters(struct generator *generator, const struct identifier *identifier,
                           struct program_aggregation *aggregation) {
    (void)generator;
    memcpy(aggregation->parameters, identifier->constants, sizeof aggregation->parameters);
}

static void add_key_fields(struct generator *generator, const struct identifier *identifier) {
    for (unsigned i = 0; i < identifier->key_count; i++) {
        const struct type *type = type_resolve(identifier->keys[i]);
        if (type->kind == TYPE_STACK)
            add_field(generator, FIELD_STACK, type, 0);
        else if (type_is_text(type))
            add_field(generator, FIELD_STRING, type_inner(generator->compilation->types, TYPE_STRING),
                      string_size(generator));
        else
            add_field(generator, FIELD_INTEGER, identifier->keys[i], type->size);
    }
}

/* The aggregation's id, under which it is added when it is first used. */
static uint32_t aggregation_index(struct generator *generator, struct identifier *identifier) {
    if (identifier->in_program)
        return identifier->index;
    struct program_aggregation aggregation = {
        .name = assembly_string(generator->assembly, identifier->name),
        .function = (uint8_t)identifier->function,
        .keys = (uint8_t)identifier->key_count,
        .first_key = assembly_count(generator->assembly, SECTION_KINDS),
        .first_field = assembly_count(generator->assembly, SECTION_FIELDS),
    };
    set_parameters(generator, identifier, &aggregation);
    for (unsigned i = 0; i < identifier->key_count; i++) {
        const struct type *type = identifier->keys[i];
        uint8_t kind = type_is_text(type) || type_is_held_as_string(type) ? VALUE_STRING : VALUE_INTEGER;
        assembly_add(generator->assembly, SECTION_KINDS, &kind);
    }
    add_key_fields(generator, identifier);
    identifier->index = assembly_add(generator->assembly, SECTION_AGGREGATIONS, &aggregation);
    identifier->in_program = true;
    return identifier->index;
}

/* The constants of a quantizing function as messages name them, and in what order they stand. */
static const struct constant {
    unsigned function;
    unsigned argument; /* 1 and up: behind the value */
    const char *name;
    const char *match_tag;
    const char *type_tag;
} constants[] = {
    {AGGREGATING_LQUANTIZE, 1, "base", "D_LQUANT_MATCHBASE", "D_LQUANT_BASETYPE"},
    {AGGREGATING_LQUANTIZE, 2, "limit", "D_LQUANT_MATCHLIM", "D_LQUANT_LIMTYPE"},
    {AGGREGATING_LQUANTIZE, 3, "step", "D_LQUANT_MATCHSTEP", "D_LQUANT_STEPTYPE"},
    {AGGREGATING_LLQUANTIZE, 1, "factor", "D_LLQUANT_MATCHFACTOR", "D_LLQUANT_FACTORTYPE"},
    {AGGREGATING_LLQUANTIZE, 2, "lmag", "D_LLQUANT_MATCHLMAG", "D_LLQUANT_LMAGTYPE"},
    {AGGREGATING_LLQUANTIZE, 3, "hmag", "D_LLQUANT_MATCHHMAG", "D_LLQUANT_HMAGTYPE"},
    {AGGREGATING_LLQUANTIZE, 4, "steps", "D_LLQUANT_MATCHSTEPS", "D_LLQUANT_STEPTYPE"},
};

static void check_lquantize(struct generator *generator, const struct node *call, const int64_t *values) {
    struct compilation *compilation = generator->compilation;
    if (values[0] < INT32_MIN || values[0] > INT32_MAX)
        compile_fail(compilation, call, "D_LQUANT_BASEVAL",
                     "lquantize( ) argument #1 must be a 32-bit quantity");
    if (values[1] < INT32_MIN || values[1] > INT32_MAX)
        compile_fail(compilation, call, "D_LQUANT_LIMVAL",
                     "lquantize( ) argument #2 must be a 32-bit quantity");
    if (values[1] <= values[0])
        compile_fail(compilation, call, "D_LQUANT_MISMATCH",
                     "lquantize( ) base (argument #1) must be less than limit (argument #2)");
    if (values[2] <= 0)
        compile_fail(compilation, call, "D_LQUANT_STEPTYPE",
                     "lquantize( ) argument #3 must be a non-zero positive integer constant");
    if (values[2] > UINT16_MAX)
        compile_fail(compilation, call, "D_LQUANT_STEPVAL",
                     "lquantize( ) argument #3 must be a 16-bit quantity");
    int64_t levels = (values[1] - values[0]) / values[2];
    if (levels == 0)
        compile_fail(compilation, call, "D_LQUANT_STEPLARGE",
                     "lquantize( ) step (argument #3) too large: must have at least one quantization level");
    if (levels > UINT16_MAX)
        compile_fail(compilation, call, "D_LQUANT_STEPSMALL",
                     "lquantize( ) step (argument #3) too small: number of quantization levels must be "
                     "a 16-bit quantity");
}

/* The factor to the power of `magnitude`; 0: it does not fit into 64 bits. */
static int64_t power_of(int64_t factor, int64_t magnitude) {
    int64_t value = 1;
    for (int64_t i = 0; i < magnitude; i++) {
        if (value > INT64_MAX / factor)
            return 0;
        value *= factor;
    }
    return value;
}

static void check_llquantize(struct generator *generator, const struct node *call, const int64_t *values) {
    struct compilation *compilation = generator->compilation;
    int64_t factor = values[0], low = values[1], high = values[2], steps = values[3];
    if (factor < 2 || factor > UINT16_MAX)
        compile_fail(
            compilation, call, "D_LLQUANT_FACTORVAL",
            "llquantize( ) argument #1 must be an unsigned 16-bit quantity greater than or equal to 2");
    if (low < 0 || low > UINT16_MAX)
        compile_fail(compilation, call, "D_LLQUANT_LMAGVAL",
                     "llquantize( ) argument #2 must be an unsigned 16-bit quantity");
    if (high < 0 || high > UINT16_MAX)
        compile_fail(compilation, call, "D_LLQUANT_HMAGVAL",
                     "llquantize( ) argument #3 must be an unsigned 16-bit quantity");
    if (high < low)
        compile_fail(
            compilation, call, "D_LLQUANT_HMAGVAL",
            "llquantize( ) argument #3 (high magnitude) must be at least argument #2 (low magnitude)");
    if (power_of(factor, high + 1) == 0)
        compile_fail(compilation, call, "D_LLQUANT_HMAGVAL",
                     "llquantize( ) argument #3 (high magnitude) will cause overflow of 64 bits");
    if (steps <= 0)
        compile_fail(compilation, call, "D_LLQUANT_STEPTYPE",
                     "llquantize( ) argument #4 must be a non-zero positive integer constant");
    if (steps > UINT16_MAX)
        compile_fail(compilation, call, "D_LLQUANT_STEPVAL",
                     "llquantize( ) argument #4 must be an unsigned 16-bit quantity");
    if (steps < factor && factor % steps)
        compile_fail(compilation, call, "D_LLQUANT_STEPVAL",
                     "llquantize() argument #4 (steps) must evenly divide argument #1 (factor) when "
                     "steps<factor");
    if (steps > factor && steps % factor)
        compile_fail(compilation, call, "D_LLQUANT_STEPVAL",
                     "llquantize() argument #4 (steps) must be a multiple of argument #1 (factor) when "
                     "steps>factor");
    if (steps > factor && low == 0 && factor * factor % steps)
        compile_fail(compilation, call, "D_LLQUANT_STEPVAL",
                     "llquantize() argument #4 (steps) must evenly divide the square of argument #1 (factor) "
                     "when steps>factor and lmag==0");
    if (steps > factor && low > 0 && power_of(factor, low + 1) % steps)
        compile_fail(compilation, call, "D_LLQUANT_STEPVAL",
                     "llquantize() argument #4 (steps) must evenly divide pow(argument #1 (factor), lmag "
                     "(argument #2) + 1) when steps>factor and lmag>0");
    if (program_llquantize_buckets(values) == 0)
        compile_fail(compilation, call, "D_LLQUANT_STEPVAL", "llquantize( ) would have too many buckets");
}

/* Two limits of lquantize() that lie in the same step are one. */
static bool are_same_levels(const struct function *function, const int64_t *values, const int64_t *known) {
    return function->index == AGGREGATING_LQUANTIZE && values[0] == known[0] && values[2] == known[2] &&
           (values[1] - values[0]) / values[2] == (known[1] - known[0]) / known[2];
}

/* Reads the constants; each later use of the aggregation must give the same. Returns how many there are. */
static unsigned read_constants(struct generator *generator, struct identifier *identifier,
                               struct node *call) {
    const struct function *function = &functions[call->identifier->index];
    int64_t values[PARAMETERS_MAX] = {0};
    const char *name = function->name;
    unsigned count = 0;
    const struct node *argument = call->list ? call->list->next : NULL;
    for (size_t i = 0; i < sizeof constants / sizeof *constants; i++) {
        const struct constant *constant = &constants[i];
        if (constant->function != function->index)
            continue;
        if (!argument) {
            values[count++] = 1; /* lquantize's step */
            continue;
        }
        if (argument->kind != NODE_INTEGER)
            compile_fail(generator->compilation, call, constant->type_tag,
                         strncmp(constant->name, "step", 4) == 0
                             ? "%s( ) argument #%u must be a non-zero positive integer constant"
                             : "%s( ) argument #%u must be an integer constant",
                         name, constant->argument);
        values[count++] = (int64_t)argument->value;
        argument = argument->next;
    }
    if (function->index == AGGREGATING_LQUANTIZE)
        check_lquantize(generator, call, values);
    if (function->index == AGGREGATING_LLQUANTIZE)
        check_llquantize(generator, call, values);
    for (unsigned i = 0; identifier->in_program && i < count; i++)
        for (size_t k = 0; k < sizeof constants / sizeof *constants; k++)
            if (constants[k].function == function->index && constants[k].argument == i + 1 &&
                identifier->constants[i] != values[i] &&
                !are_same_levels(function, values, identifier->constants))
                compile_fail(generator->compilation, call, constants[k].match_tag,
                             "%s(%s) %s (argument #%u) doesn't match previous declaration: expected %lld, "
                             "found %lld",
                             name, function->index == AGGREGATING_LQUANTIZE ? " " : "", constants[k].name,
                             constants[k].argument, (long long)identifier->constants[i],
                             (long long)values[i]);
    memcpy(identifier->constants, values, sizeof values);
    return count;
}

/* The value, and of a quantizing function the increment, in two registers. */
static unsigned generate_aggregated(struct generator *generator, struct node *call, unsigned skipped) {
    const struct function *function = &functions[call->identifier->index];
    struct node *value = call->list;
    if (!value) {
        unsigned reg = generate_number(generator, 0);
        generate_number(generator, 1);
        return reg;
    }
    if (!type_is_scalar(value->type))
        compile_fail(generator->compilation, call, "D_AGG_SCALAR", "%s( ) argument #1 must be of scalar type",
                     function->name);
    unsigned reg = generate_integer(generator, value);
    struct node *increment = value->next;
    for (unsigned i = 0; increment && i < skipped; i++)
        increment = increment->next;
    if (!increment) {
        generate_number(generator, 1);
        return reg;
    }
    if (!type_is_scalar(increment->type))
        compile_fail(generator->compilation, call, "D_PROTO_ARG",
                     "%s( ) increment value (argument #%u) must be of scalar type", function->name,
                     skipped + 2);
    generate_integer(generator, increment);
    return reg;
}

static void generate_aggregation(struct generator *generator, struct node *assignment) {
    struct node *left = assignment->left, *call = assignment->right;
    if (generator->commits)
        compile_fail(generator->compilation, assignment, "D_AGG_COMM",
                     "aggregating actions may not follow commit( )");
    if (generator->speculates)
        compile_fail(generator->compilation, assignment, "D_AGG_SPEC",
                     "aggregating actions may not follow speculate( )");
    const struct function *function = &functions[call->identifier->index];
    cook_count(generator->compilation, call, function->name, "( )", "arg", node_count(call->list),
               function->fewest, function->most);
    unsigned skipped = read_constants(generator, left->identifier, call);
    uint32_t index = aggregation_index(generator, left->identifier);
    unsigned reg = generate_aggregated(generator, call, skipped);
    unsigned keys = generate_keys(generator, left->list, left->identifier);
    emit(generator, OP_AGGREGATE, reg, keys, left->identifier->key_count, (int32_t)index);
    generator->next = reg;
    generator->aggregates = true;
}

/* An argument that must be an aggregation: its id. */
static uint32_t aggregation_argument(struct generator *generator, const struct node *call,
                                     const struct node *argument, unsigned number, const char *tag) {
    if (argument->kind != NODE_AGGREGATION)
        compile_fail(generator->compilation, call, tag,
                     "%s( ) argument #%u is incompatible with prototype:\n\tprototype: aggregation\n"
                     "\t argument: %s",
                     call->text, number, cook_describe(generator->compilation, argument));
    return aggregation_index(generator, argument->identifier);
}

static void name_aggregation(struct generator *generator, uint32_t id) {
    int64_t value = id;
    uint32_t at = assembly_add(generator->assembly, SECTION_INTEGERS, &value);
    struct program_action *action = this_action(generator);
    if (action->aggregations++ == 0)
        action->argument = at;
}

/* --- formats --- */

static const struct node *format_argument(struct generator *generator, const struct node *call) {
    const struct node *format = call->list;
    if (format->kind != NODE_STRING)
        compile_fail(generator->compilation, call, "D_PRINTF_ARG_FMT",
                     "%s( ) argument #1 is incompatible with prototype:\n\tprototype: string constant\n"
                     "\t argument: %s",
                     call->text, cook_describe(generator->compilation, format));
    return format;
}

static const char *format_text(struct generator *generator, const struct node *format) {
    return memory_copy(generator->compilation->memory, format->text, format->text_length);
}

static bool comes_from(const struct type *type, const char *name) {
    for (; type; type = type->kind == TYPE_TYPEDEF ? type->base : NULL)
        if (type->name && strcmp(type->name, name) == 0)
            return true;
    return false;
}

/* Does the conversion take a value of this type? */
static bool takes(const struct generator *generator, const struct conversion *conversion,
                  const struct type *type) {
    const struct type *real = type_resolve(type), *wanted;
    bool is_number = real->kind == TYPE_INTEGER || real->kind == TYPE_FLOAT;
    switch (conversion->takes) {
    case TAKES_NOTHING:
        return true;
    case TAKES_INTEGER:
        return type_is_integer(real);
    case TAKES_CHARACTER:
        return type_is_integer(real) && real->size <= sizeof(int);
    case TAKES_TYPE:
        wanted = type_resolve(type_named(generator->compilation->types, conversion->prototype));
        return is_number && real->kind == wanted->kind && real->size == wanted->size &&
               real->is_signed == wanted->is_signed;
    case TAKES_SHORT:
        return real->kind == TYPE_INTEGER && real->size == sizeof(short);
    case TAKES_LONG:
        return real->kind == TYPE_INTEGER && real->size == sizeof(long);
    case TAKES_LONG_LONG:
        return comes_from(real, "long long") || comes_from(real, "unsigned long long") ||
               comes_from(type, "int64_t") || comes_from(type, "uint64_t");
    case TAKES_STRING:
        return real->kind == TYPE_STRING || (real->kind == TYPE_ARRAY && type_is_text(real));
    case TAKES_WIDE_STRING:
        return real->kind == TYPE_ARRAY && comes_from(real->base, "wchar_t");
    case TAKES_FLOAT:
        return real->kind == TYPE_FLOAT;
    case TAKES_ADDRESS:
        return type_is_integer(real) || type_is_pointer(real) || real->kind == TYPE_SYMBOL;
    case TAKES_USER_ADDRESS:
        return real->kind == TYPE_SYMBOL || (generator->compilation->settings->target != 0 &&
                                             (type_is_integer(real) || type_is_pointer(real)));
    case TAKES_STACK:
        return real->kind == TYPE_STACK;
    case TAKES_TIME:
        return type_is_integer(real) && real->size == 8;
    }
    return false;
}

static struct format *parse_format(struct generator *generator, const struct node *call, const char *text) {
    char problem[512];
    struct format *parsed = &generator->compilation->format;
    format_free(parsed);
    if (!format_parse(parsed, text, problem, sizeof problem))
        compile_fail(generator->compilation, call, "D_SYNTAX", "%s", problem);
    if (parsed->count == 0)
        compile_fail(generator->compilation, call, "D_PRINTF_FMT_EMPTY", "%s( ) format string is empty",
                     call->text);
    return parsed;
}

static _Noreturn void fail_conversion(struct generator *generator, const struct node *call, const char *tag,
                                      unsigned argument, unsigned conversion, const char *name,
                                      const char *prototype, const char *type) {
    compile_fail(generator->compilation, call, tag,
                 "%s( ) argument #%u is incompatible with conversion #%u prototype:\n"
                 "\tconversion: %%%s\n\t prototype: %s\n\t  argument: %s",
                 call->text, argument, conversion, name, prototype, type);
}

/* '*': is there an int, as an argument or a key, for this width or precision? */
static void check_dynamic(struct generator *generator, const struct node *call, const struct node *argument,
                          unsigned number, unsigned conversion, const char *name, bool is_precision) {
    const char *star = is_precision ? ".*" : "*";
    if (!argument)
        compile_fail(
            generator->compilation, call, "D_PRINTF_DYN_PROTO",
            "%s( ) prototype mismatch: conversion #%u (%%%s) is missing a corresponding \"%s\" argument",
            call->text, conversion, name, star);
    if (!type_is_integer(argument->type) || type_resolve(argument->type)->size > sizeof(int))
        fail_conversion(generator, call, "D_PRINTF_DYN_TYPE", number, conversion,
                        memory_print(generator->compilation->memory, " %s %s", star, name), "int",
                        cook_describe(generator->compilation, argument));
}

/* Returns the next argument. */
static struct node *record_dynamic(struct generator *generator, const struct node *call,
                                   struct node *argument, unsigned *number, unsigned conversion,
                                   const char *name, bool is_precision) {
    check_dynamic(generator, call, argument, *number, conversion, name, is_precision);
    record_integer(generator, argument, "int");
    ++*number;
    return argument->next;
}

/* Checks the arguments behind the format against it, and records them. */
static void record_formatted(struct generator *generator, const struct node *call) {
    const struct node *format = format_argument(generator, call);
    const char *text = format_text(generator, format);
    const struct format *parsed = parse_format(generator, call, text);
    this_action(generator)->format = assembly_string(generator->assembly, text);
    struct node *argument = format->next;
    unsigned number = 2, conversions = 0;
    for (size_t i = 0; i < parsed->count; i++) {
        const struct format_part part = parsed->parts[i];
        if (!part.conversion)
            continue;
        conversions++;
        if (part.aggregation)
            compile_fail(generator->compilation, call, "D_PRINTF_AGG_CONV",
                         "%%@ conversion requires an aggregation and is not for use with %s( )", call->text);
        if (part.conversion->takes == TAKES_NOTHING)
            continue;
        const char *name = part.conversion->name;
        if (part.dynamic_width)
            argument = record_dynamic(generator, call, argument, &number, conversions, name, false);
        if (part.dynamic_precision)
            argument = record_dynamic(generator, call, argument, &number, conversions, name, true);
        if (!argument)
            compile_fail(generator->compilation, call, "D_PRINTF_ARG_PROTO",
                         "%s( ) prototype mismatch: conversion #%u (%%%s) is missing a corresponding value "
                         "argument",
                         call->text, conversions, name);
        if (cook_is_dynamic(argument) || !takes(generator, part.conversion, argument->type))
            fail_conversion(generator, call, "D_PRINTF_ARG_TYPE", number, conversions, name,
                            part.conversion->prototype, cook_describe(generator->compilation, argument));
        record_value(generator, argument);
        argument = argument->next;
        number++;
    }
    if (argument)
        compile_fail(generator->compilation, call, "D_PRINTF_ARG_EXTRA",
                     "%s( ) prototype mismatch: only %u arguments required by this format string", call->text,
                     number - 2);
}

/* %@: the value of an aggregation. */
static void check_value_conversion(struct generator *generator, const struct node *call,
                                   const struct conversion *conversion, unsigned number,
                                   const struct identifier *aggregation) {
    struct types *types = generator->compilation->types;
    const char *type = aggregation->function == AGGREGATING_COUNT ? "uint64_t" : "int64_t";
    if (!takes(generator, conversion, type_named(types, type)))
        compile_fail(generator->compilation, call, "D_PRINTF_ARG_TYPE",
                     "printa( ) aggregating action is incompatible with conversion #%u prototype:\n"
                     "\tconversion: %%%s\n\t prototype: %s\n\t  argument: %s",
                     number, conversion->name, conversion->prototype, type);
}

/* The keys as nodes, for the checks of what a format makes of them. */
static struct node *keys_as_nodes(struct generator *generator, const struct identifier *aggregation) {
    struct node *first = NULL, **last = &first;
    for (unsigned i = 0; i < aggregation->key_count; i++) {
        *last = memory_allocate(generator->compilation->memory, sizeof **last);
        **last = (struct node){.kind = NODE_TYPE, .type = aggregation->keys[i]};
        last = &(*last)->next;
    }
    return first;
}

/* printa's format: its plain conversions take the keys, in order; so does each '*'. */
static void check_keys_format(struct generator *generator, const struct node *call, const char *text,
                              const struct identifier *aggregation) {
    const struct format *parsed = parse_format(generator, call, text);
    const struct node *key = keys_as_nodes(generator, aggregation);
    unsigned number = 2, conversions = 0;
    for (size_t i = 0; i < parsed->count; i++) {
        const struct format_part *part = &parsed->parts[i];
        if (!part->conversion)
            continue;
        conversions++;
        if (part->conversion->takes == TAKES_NOTHING)
            continue;
        const char *name = part->conversion->name;
        for (int star = 0; star < 2; star++)
            if (star ? part->dynamic_precision : part->dynamic_width) {
                check_dynamic(generator, call, key, number++, conversions, name, star != 0);
                key = key->next;
            }
        if (part->aggregation) {
            check_value_conversion(generator, call, part->conversion, conversions, aggregation);
            continue;
        }
        if (!key)
            compile_fail(generator->compilation, call, "D_PRINTF_ARG_PROTO",
                         "%s( ) prototype mismatch: conversion #%u (%%%s) is missing a corresponding value "
                         "argument",
                         call->text, conversions, name);
        if (!takes(generator, part->conversion, key->type))
            fail_conversion(generator, call, "D_PRINTF_ARG_TYPE", number, conversions, name,
                            part->conversion->prototype, cook_describe(generator->compilation, key));
        key = key->next;
        number++;
    }
}

/* --- the actions, each as the table below names it --- */

static void act_trace(struct generator *generator, struct node *call) {
    struct node *value = call->list;
    if (cook_is_dynamic(value))
        compile_fail(generator->compilation, call, "D_TRACE_DYN",
                     "trace( ) may not be applied to a dynamic expression");
    if (type_resolve(value->type)->kind == TYPE_VOID)
        compile_fail(generator->compilation, call, "D_TRACE_VOID",
                     "trace( ) may not be applied to a void expression");
    note_record(generator, call);
    begin_action(generator, ACTION_TRACE);
    record_value(generator, value);
}

static void act_printf(struct generator *generator, struct node *call) {
    note_record(generator, call);
    begin_action(generator, ACTION_PRINTF);
    record_formatted(generator, call);
}

static void act_system(struct generator *generator, struct node *call) {
    forbid_speculation(generator, call);
    note_record(generator, call);
    begin_action(generator, ACTION_SYSTEM);
    record_formatted(generator, call);
    generator->compilation->is_destructive = true;
}

static void act_freopen(struct generator *generator, struct node *call) {
    const struct node *format = format_argument(generator, call);
    forbid_speculation(generator, call);
    note_record(generator, call);
    begin_action(generator, ACTION_FREOPEN);
    if (format->text_length > 0) /* "": back to where the output went first */
        record_formatted(generator, call);
    generator->compilation->is_destructive = true;
}

static void check_signatures(struct generator *generator, const struct node *call,
                             const struct identifier *first, const struct identifier *other) {
    struct compilation *compilation = generator->compilation;
    if (first->key_count != other->key_count)
        compile_fail(compilation, call, "D_PRINTA_AGGKEY",
                     "printa( ): @%s and @%s do not have matching key signatures: @%s has %u key%s, "
                     "@%s has %u key%s",
                     first->name, other->name, first->name, first->key_count,
                     first->key_count == 1 ? "" : "s", other->name, other->key_count,
                     other->key_count == 1 ? "" : "s");
    for (unsigned i = 0; i < first->key_count; i++) {
        const struct node one = {.kind = NODE_TYPE, .type = first->keys[i]};
        const struct node two = {.kind = NODE_TYPE, .type = other->keys[i]};
        if (!cook_accepts(compilation, one.type, &two))
            compile_fail(
                compilation, call, "D_PRINTA_AGGPROTO",
                "printa( ): @%s[ ] key #%u is incompatible with @%s:\n%9s key #%u: %s\n%9s key #%u: %s",
                other->name, i + 1, first->name, first->name, i + 1, cook_describe(compilation, &one),
                other->name, i + 1, cook_describe(compilation, &two));
    }
}

static void act_printa(struct generator *generator, struct node *call) {
    const struct node *argument = call->list;
    const char *format = "";
    unsigned number = 1;
    if (argument->kind == NODE_STRING) {
        format = format_text(generator, argument);
        argument = argument->next;
        number++;
        if (!argument)
            compile_fail(generator->compilation, call, "D_PRINTA_PROTO",
                         "printa( ) prototype mismatch: 1 args passed, 2 expected");
        if (*format == '\0')
            parse_format(generator, call, format);
    }
    note_record(generator, call);
    const struct node *first = argument;
    for (const struct node *each = argument; each; each = each->next)
        aggregation_argument(generator, call, each, number++, "D_PRINTA_AGGARG");
    begin_action(generator, ACTION_PRINTA);
    this_action(generator)->format = assembly_string(generator->assembly, format);
    for (; argument; argument = argument->next) {
        if (argument != first)
            check_signatures(generator, call, first->identifier, argument->identifier);
        name_aggregation(generator, argument->identifier->index);
    }
    if (*format)
        check_keys_format(generator, call, format, first->identifier);
}

uint32_t stack_frames(struct generator *generator, const struct node *call) {
    static const char *const tags[] = {"D_STACK_SIZE", "D_USTACK_FRAMES"};
    const struct compilation *compilation = generator->compilation;
    const struct node *frames = call->list;
    bool is_plain = strcmp(call->text, "stack") == 0, is_jstack = strcmp(call->text, "jstack") == 0;
    enum option option = is_plain    ? OPTION_STACKFRAMES
                         : is_jstack ? OPTION_JSTACKFRAMES
                                     : OPTION_USTACKFRAMES;
    if (!frames)
        return (uint32_t)compile_option(compilation, option);
    if (frames->kind != NODE_INTEGER || (int64_t)frames->value < !is_plain ||
        (is_plain && frames->value == 0))
        compile_fail(generator->compilation, call, tags[!is_plain],
                     "%s( ) argument #1 must be a non-zero positive integer constant", call->text);
    const struct node *bytes = frames->next;
    if (bytes && (bytes->kind != NODE_INTEGER || (int64_t)bytes->value < 0))
        compile_fail(generator->compilation, call, "D_USTACK_STRSIZE",
                     "%s( ) argument #2 must be a positive integer constant", call->text);
    return (uint32_t)frames->value;
}

void generate_stack(struct generator *generator, const struct node *call, unsigned dst) {
    uint32_t frames = stack_frames(generator, call);
    const struct node *bytes = call->list ? call->list->next : NULL;
    unsigned first = generate_number(generator, frames);
    generate_number(generator, bytes ? (int64_t)bytes->value : 0);
    emit(generator, OP_CALL, dst, first, 2, SUBROUTINE_PYSTACK);
}

static void act_stack(struct generator *generator, struct node *call) {
    note_record(generator, call);
    uint32_t frames = stack_frames(generator, call);
    begin_action(generator, ACTION_STACK);
    unsigned reg = generate_register(generator);
    generate_stack(generator, call, reg);
    emit_field(generator, FIELD_STACK, call->type, frames, reg, 0);
}

/* What code an address is of is not looked up: in a Python process it is the interpreter's. */
static void act_symbol(struct generator *generator, struct node *call) {
    note_record(generator, call);
    begin_action(generator, ACTION_SYMBOL);
    unsigned reg = generate_integer(generator, call->list);
    emit_field(generator, FIELD_INTEGER, call->type, call->type->size, reg, 0);
}

static void act_tracemem(struct generator *generator, struct node *call) {
    struct node *address = call->list, *size = address->next, *dynamic = size->next;
    if (!type_is_integer(address->type) && !type_is_pointer(address->type))
        compile_fail(generator->compilation, call, "D_TRACEMEM_ADDR",
                     "tracemem( ) argument #1 is incompatible with prototype:\n"
                     "\tprototype: pointer or integer\n\t argument: %s",
                     cook_describe(generator->compilation, address));
    if (size->kind != NODE_INTEGER || (int64_t)size->value <= 0 || size->value > PROGRAM_BYTES_MAX)
        compile_fail(generator->compilation, call, "D_TRACEMEM_SIZE",
                     "tracemem( ) argument #2 must be a non-zero positive integral constant expression");
    note_record(generator, call);
    begin_action(generator, ACTION_TRACEMEM);
    const struct type *type = type_named(generator->compilation->types, "char");
    unsigned reg = generate_integer(generator, address);
    unsigned length = generate_number(generator, (int64_t)size->value);
    if (dynamic) { /* the smaller of the two sizes */
        struct label keep = {0};
        unsigned wanted = generate_integer(generator, dynamic);
        unsigned smaller = generate_register(generator);
        emit(generator, OP_LESS_UNSIGNED, smaller, length, wanted, 0);
        emit_jump(generator, OP_JUMP_IF, smaller, &keep);
        emit(generator, OP_MOVE, length, wanted, 0, 0);
        place_label(generator, &keep);
    }
    emit_field(generator, FIELD_BYTES, type, size->value, reg, length);
}

/* The field just added is one for print(), which shows its parts. */
static void describe_field(struct generator *generator, const struct type *type) {
    uint32_t name = assembly_string(generator->assembly, layout_print(generator->compilation->memory, type));
    uint32_t last = assembly_count(generator->assembly, SECTION_FIELDS) - 1;
    ((struct program_field *)assembly_entry(generator->assembly, SECTION_FIELDS, last))->type = name;
}

/* A string has its place in memory, too. */
static void print_string(struct generator *generator, struct node *call) {
    struct node *text = call->list;
    note_record(generator, call);
    begin_action(generator, ACTION_PRINT);
    unsigned reg = generate_text(generator, text);
    unsigned address = generate_register(generator);
    emit(generator, OP_STRING_ADDRESS, address, reg, 0, 0);
    emit_field(generator, FIELD_INTEGER, type_pointer_to(generator->compilation->types, text->type),
               sizeof(void *), address, 0);
    emit_field(generator, FIELD_STRING, text->type, type_resolve(text->type)->size, reg, 0);
}

/* The address, then what is there. */
static void act_print(struct generator *generator, struct node *call) {
    struct node *pointer = call->list;
    const struct type *type = type_resolve(pointer->type);
    if (type->kind == TYPE_STRING) {
        print_string(generator, call);
        return;
    }
    if (type->kind == TYPE_INTEGER)
        compile_fail(generator->compilation, call, "D_PRINT_ARG",
                     "print( ) argument #1 must be a pointer to what is printed");
    const struct type *base = type_resolve(type->base);
    char text[128];
    if (base->kind == TYPE_VOID || base->kind == TYPE_FUNCTION || base->size == 0)
        compile_fail(generator->compilation, call, "D_PRINT_SIZE",
                     "print( ) argument #1 reference has type '%s' with size 0; cannot print( ) it.",
                     type_print(type->base, text, sizeof text));
    note_record(generator, call);
    begin_action(generator, ACTION_PRINT);
    unsigned reg = generate_integer(generator, pointer);
    emit_field(generator, FIELD_INTEGER, pointer->type, sizeof(void *), reg, 0);
    if (type_is_by_address(base)) {
        record_bytes(generator, reg, type->base, base->size);
        describe_field(generator, type->base);
    } else if (base->kind == TYPE_STRING) {
        emit(generator, OP_CALL, reg, reg, 1, SUBROUTINE_STRINGOF);
        emit_field(generator, FIELD_STRING, base, base->size, reg, 0);
    } else {
        int32_t width = (int32_t)(base->size > 8 ? 8 : base->size);
        emit(generator, OP_READ, reg, reg, 0, base->is_signed ? -width : width);
        emit_field(generator, FIELD_INTEGER, type->base, base->size, reg, 0);
    }
}

static void act_now(struct generator *generator) {
    emit(generator, OP_ACT, 0, 0, 0, (int32_t)generator->action);
}

static void act_exit(struct generator *generator, struct node *call) {
    if (generator->speculates)
        compile_fail(generator->compilation, call, "D_EXIT_SPEC", "exit( ) may not follow speculate( )");
    note_record(generator, call);
    begin_action(generator, ACTION_EXIT);
    record_integer(generator, call->list, "int");
    act_now(generator);
}

static void act_clear(struct generator *generator, struct node *call) {
    uint32_t id = aggregation_argument(generator, call, call->list, 1, "D_CLEAR_AGGARG");
    note_record(generator, call);
    begin_action(generator, ACTION_CLEAR);
    name_aggregation(generator, id);
}

static void act_trunc(struct generator *generator, struct node *call) {
    uint32_t id = aggregation_argument(generator, call, call->list, 1, "D_TRUNC_AGGARG");
    note_record(generator, call);
    begin_action(generator, ACTION_TRUNC);
    name_aggregation(generator, id);
    if (call->list->next)
        record_integer(generator, call->list->next, "int64_t");
    else
        record_number(generator, 0, "int64_t");
}

static void act_normalize(struct generator *generator, struct node *call) {
    uint32_t id = aggregation_argument(generator, call, call->list, 1, "D_NORMALIZE_AGGARG");
    note_record(generator, call);
    begin_action(generator, ACTION_NORMALIZE);
    name_aggregation(generator, id);
    record_integer(generator, call->list->next, "int64_t");
}

static void act_denormalize(struct generator *generator, struct node *call) {
    uint32_t id = aggregation_argument(generator, call, call->list, 1, "D_NORMALIZE_AGGARG");
    note_record(generator, call);
    begin_action(generator, ACTION_DENORMALIZE);
    name_aggregation(generator, id);
}

static void act_setopt(struct generator *generator, struct node *call) {
    note_record(generator, call);
    begin_action(generator, ACTION_SETOPT);
    record_text(generator, call->list);
    if (call->list->next)
        record_text(generator, call->list->next);
}

static void act_speculate(struct generator *generator, struct node *call) {
    if (generator->commits)
        compile_fail(generator->compilation, call, "D_SPEC_COMM", "speculate( ) may not follow commit( )");
    if (generator->speculates)
        compile_fail(generator->compilation, call, "D_SPEC_SPEC", "speculate( ) may not follow speculate( )");
    if (generator->records || generator->aggregates)
        compile_fail(generator->compilation, call, "D_SPEC_DREC",
                     "speculate( ) may not follow data-recording action(s)");
    unsigned reg = generate_integer(generator, call->list);
    emit(generator, OP_SPECULATE, 0, reg, 0, 0);
    generator->speculates = true;
    generator->clause.flags |= CLAUSE_SPECULATIVE;
}

static void act_commit(struct generator *generator, struct node *call) {
    if (generator->records)
        compile_fail(generator->compilation, call, "D_COMM_DREC",
                     "commit( ) may not follow data-recording action(s)");
    begin_action(generator, ACTION_COMMIT);
    record_integer(generator, call->list, "int");
    act_now(generator);
    generator->commits = true;
}

static void act_discard(struct generator *generator, struct node *call) {
    begin_action(generator, ACTION_DISCARD);
    record_integer(generator, call->list, "int");
    act_now(generator);
}

static void act_ftruncate(struct generator *generator, struct node *call) {
    note_record(generator, call);
    begin_action(generator, ACTION_FTRUNCATE);
}

static void act_destructive(struct generator *generator, struct node *call, enum action kind,
                            const char *type) {
    forbid_speculation(generator, call);
    if (generator->commits)
        compile_fail(generator->compilation, call, "D_DREC_COMM",
                     "data-recording actions may not follow commit( )");
    begin_action(generator, kind);
    if (type)
        record_integer(generator, call->list, type);
    act_now(generator);
    generator->compilation->is_destructive = true;
}

static void act_raise(struct generator *generator, struct node *call) {
    act_destructive(generator, call, ACTION_RAISE, "int");
}

static void act_stop(struct generator *generator, struct node *call) {
    act_destructive(generator, call, ACTION_STOP, NULL);
}

static void act_chill(struct generator *generator, struct node *call) {
    act_destructive(generator, call, ACTION_CHILL, "int64_t");
}

static const struct {
    unsigned action;
    void (*act)(struct generator *generator, struct node *call);
} acts[] = {
    {ACTION_TRACE, act_trace},         {ACTION_PRINTF, act_printf},
    {ACTION_PRINTA, act_printa},       {ACTION_STACK, act_stack},
    {ACTION_SYMBOL, act_symbol},       {ACTION_TRACEMEM, act_tracemem},
    {ACTION_PRINT, act_print},         {ACTION_EXIT, act_exit},
    {ACTION_CLEAR, act_clear},         {ACTION_TRUNC, act_trunc},
    {ACTION_NORMALIZE, act_normalize}, {ACTION_DENORMALIZE, act_denormalize},
    {ACTION_SETOPT, act_setopt},       {ACTION_COMMIT, act_commit},
    {ACTION_DISCARD, act_discard},     {ACTION_SYSTEM, act_system},
    {ACTION_FREOPEN, act_freopen},     {ACTION_FTRUNCATE, act_ftruncate},
    {ACTION_RAISE, act_raise},         {ACTION_STOP, act_stop},
    {ACTION_CHILL, act_chill},         {ACTION_SPECULATE, act_speculate},
};

bool generate_action(struct generator *generator, struct node *statement) {
    if (statement->kind == NODE_ASSIGN && statement->left->kind == NODE_AGGREGATION) {
        generate_aggregation(generator, statement);
        return true;
    }
    if (statement->kind != NODE_CALL)
        return false;
    const struct function *function = &functions[statement->identifier->index];
    if (function->kind != FUNCTION_ACTION)
        return false;
    for (size_t i = 0; i < sizeof acts / sizeof *acts; i++)
        if (acts[i].action == function->index) {
            acts[i].act(generator, statement);
            return true;
        }
    compile_fail(generator->compilation, statement, "D_UNKNOWN", "%s() is not implemented (yet)",
                 function->name); /* in DTrace's words: it is the kernel's */
}
