/*
 * program.c: options with their defaults, the globs of probe descriptions, the buckets of llquantize, and the
 * verifier: one pass over the sections, then one over the instructions. Since jumps only go forward, every
 * way to an instruction has been seen when the pass comes to it: what its registers hold is what all ways
 * agree on.
 */
#include "program.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const struct {
    const char *name;
    int64_t fallback;
} options[OPTION_COUNT] = {
#define OPTION(name, text, kind, fallback) {text, fallback},
    PROGRAM_OPTIONS(OPTION)
#undef OPTION
};

int64_t program_option(const struct program_header *program, enum option option) {
    int64_t value = program->options[option];
    return value == OPTION_UNSET ? options[option].fallback : value;
}

/* One class [...] of a glob, `pattern` behind its '['. The text behind its ']', or NULL if it has none: then
   the '[' is a character like others. */
static const char *glob_class(const char *pattern, unsigned char c, bool *matches) {
    bool negated = *pattern == '!';
    bool found = false;
    pattern += negated;
    /* A ']' that comes first is a member of the class. */
    for (bool first = true; first || *pattern != ']'; first = false) {
        unsigned char low = (unsigned char)*pattern++;
        if (low == '\\' && *pattern)
            low = (unsigned char)*pattern++;
        if (!low)
            return NULL;
        unsigned char high = low;
        if (*pattern == '-' && pattern[1] && pattern[1] != ']') {
            pattern++;
            if (*pattern == '\\' && pattern[1])
                pattern++;
            high = (unsigned char)*pattern++;
        }
        found |= low <= c && c <= high;
    }
    *matches = found != negated;
    return pattern + 1;
}

/* Does the first element of the pattern match the character? Returns the pattern behind it, or NULL. */
static const char *glob_one(const char *pattern, char c) {
    bool matches;
    const char *rest;
    switch (*pattern) {
    case '?':
        return pattern + 1;
    case '[':
        rest = glob_class(pattern + 1, (unsigned char)c, &matches);
        if (rest)
            return matches ? rest : NULL;
        break;
    case '\\':
        pattern += pattern[1] != '\0';
        break;
    }
    return *pattern == c ? pattern + 1 : NULL;
}

bool program_read_flag(const char *text, int64_t *value) {
    static const struct {
        const char *word;
        int64_t value;
    } words[] = {{"set", 1}, {"unset", 0}, {"enable", 1}, {"disable", 0}, {"on", 1},
                 {"off", 0}, {"yes", 1},   {"no", 0},     {"true", 1},    {"false", 0}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(words[i].word, text) == 0) {
            *value = words[i].value;
            return true;
        }
    char *end;
    errno = 0;
    long long number = strtoll(text, &end, 0);
    *value = *text != '\0';
    return *end == '\0' && errno == 0 && number >= 0;
}

bool program_glob(const char *pattern, const char *name) {
    const char *star = NULL, *retry = NULL; /* behind the last '*', and where it ends in the name next time */
    if (!*pattern)
        return true;
    for (;;) {
        if (*pattern == '*') {
            star = ++pattern;
            retry = name;
            continue;
        }
        if (!*pattern && !*name)
            return true;
        const char *rest = *pattern && *name ? glob_one(pattern, *name) : NULL;
        if (rest) {
            pattern = rest;
            name++;
        } else {
            if (!star || !*retry)
                return false;
            pattern = star;
            name = ++retry;
        }
    }
}

/* In the order of magnitude that ends at `above`. Its first bucket begins where it begins, the others at the
   multiples of their width. */
static int64_t buckets_below(const int64_t parameters[4], int64_t above) {
    int64_t factor = parameters[0], steps = parameters[3];
    int64_t from_zero = above > steps ? steps : above;
    return from_zero - from_zero / factor;
}

uint32_t program_llquantize_buckets(const int64_t parameters[4]) {
    int64_t factor = parameters[0], low = parameters[1], high = parameters[2], steps = parameters[3];
    if (factor < 2 || factor > UINT16_MAX || low < 0 || low > high || high > 63 || steps < 1 ||
        steps > UINT16_MAX)
        return 0;
    int64_t this = 1;
    uint64_t buckets = 1; /* the last, for all beyond */
    for (int64_t order = 0; order <= high; order++) {
        if (__builtin_mul_overflow(this, factor, &this))
            return order > low && buckets <= PROGRAM_BUCKETS_MAX / 2 ? (uint32_t)buckets : 0;
        if (order >= low)
            buckets += (uint64_t)buckets_below(parameters, this);
    }
    return buckets <= PROGRAM_BUCKETS_MAX / 2 ? (uint32_t)buckets : 0;
}

/* Of the orders of magnitude from `low` to `high`: this one's first bucket and lowest value, what lies above
   it, and how wide its buckets are. */
struct order {
    int64_t first, lowest, above, width;
};

static bool order_next(const int64_t parameters[4], struct order *order, int64_t *left) {
    int64_t factor = parameters[0], steps = parameters[3];
    if ((*left)-- <= 0 || __builtin_mul_overflow(order->lowest, factor, &order->above))
        return false;
    int64_t in_order = order->above > steps ? steps : order->above;
    order->width = order->above / in_order;
    return true;
}

static void order_pass(const int64_t parameters[4], struct order *order) {
    order->first += buckets_below(parameters, order->above);
    order->lowest = order->above;
}

/* How many buckets of this order are below the one of `size`. */
static int64_t order_index(const int64_t parameters[4], const struct order *order, int64_t size) {
    int64_t index = size / order->width - order->lowest / order->width;
    int64_t last = buckets_below(parameters, order->above) - 1;
    return index < last ? index : last;
}

static struct order order_lowest(const int64_t parameters[4], int64_t *left) {
    struct order order = {.first = 1, .lowest = 1};
    for (int64_t i = 0; i < parameters[1]; i++) {
        if (__builtin_mul_overflow(order.lowest, parameters[0], &order.lowest))
            order.lowest = INT64_MAX;
    }
    *left = parameters[2] - parameters[1] + 1;
    return order;
}

int32_t program_llquantize_bucket(const int64_t parameters[4], int64_t value) {
    int32_t sign = value < 0 ? -1 : 1;
    uint64_t magnitude = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    if (magnitude > INT64_MAX)
        magnitude = INT64_MAX;
    int64_t left, size = (int64_t)magnitude;
    struct order order = order_lowest(parameters, &left);
    if (size < order.lowest)
        return 0;
    while (order_next(parameters, &order, &left)) {
        if (size < order.above)
            return sign * (int32_t)(order.first + order_index(parameters, &order, size));
        order_pass(parameters, &order);
    }
    return sign * (int32_t)order.first;
}

int64_t program_llquantize_bound(const int64_t parameters[4], uint32_t bucket) {
    int64_t left;
    struct order order = order_lowest(parameters, &left);
    while (order_next(parameters, &order, &left)) {
        struct order next = order;
        order_pass(parameters, &next);
        if (bucket == order.first)
            return order.lowest;
        if (bucket < next.first)
            return (order.lowest / order.width + bucket - order.first) * order.width;
        order = next;
    }
    return order.lowest;
}

uint32_t program_aggregation_words(const struct program_aggregation *aggregation) {
    const int64_t *parameters = aggregation->parameters;
    switch (aggregation->function) {
    case AGGREGATING_AVG:
        return 2;
    case AGGREGATING_STDDEV:
        return 4;
    case AGGREGATING_QUANTIZE:
        return 127;
    case AGGREGATING_LQUANTIZE:
        return (uint32_t)((parameters[1] - parameters[0]) / parameters[2]) + 2;
    case AGGREGATING_LLQUANTIZE:
        return 1 + 2 * program_llquantize_buckets(parameters);
    default:
        return 1;
    }
}

/* The verifier. */

enum register_kinds { REGISTER_INTEGER, REGISTER_STRING, REGISTER_KINDS };

/* What all ways to an instruction agree on: for each kind, a bit for each register that holds it. */
struct state {
    bool reached;
    uint64_t holds[REGISTER_KINDS];
};

struct check {
    const struct program_header *program;
    char *problem;
    size_t n;
};

__attribute__((format(printf, 2, 3))) static bool refuse(const struct check *check, const char *format, ...) {
    va_list arguments;
    char text[256];
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (check->n)
        snprintf(check->problem, check->n, "the program is malformed: %s", text);
    return false;
}

static const struct {
    const char *name;
    uint32_t size; /* of an entry */
} sections[SECTION_COUNT] = {
    [SECTION_STRINGS] = {"strings", 1},
    [SECTION_INTEGERS] = {"integers", sizeof(int64_t)},
    [SECTION_INSTRUCTIONS] = {"instructions", sizeof(struct program_instruction)},
    [SECTION_VARIABLES] = {"variables", sizeof(struct program_variable)},
    [SECTION_KINDS] = {"kinds", 1},
    [SECTION_AGGREGATIONS] = {"aggregations", sizeof(struct program_aggregation)},
    [SECTION_FIELDS] = {"fields", sizeof(struct program_field)},
    [SECTION_ACTIONS] = {"actions", sizeof(struct program_action)},
    [SECTION_CLAUSES] = {"clauses", sizeof(struct program_clause)},
    [SECTION_ENABLINGS] = {"enablings", sizeof(struct program_enabling)},
};

static bool check_sections(const struct check *check, size_t size) {
    const struct program_header *program = check->program;
    for (int i = 0; i < SECTION_COUNT; i++) {
        uint64_t offset = program->sections[i].offset;
        uint64_t bytes = (uint64_t)program->sections[i].count * sections[i].size;
        if (offset % 8 || offset < sizeof *program || offset > size || bytes > size - offset)
            return refuse(check, "the section of %s does not lie within it", sections[i].name);
    }
    const char *strings = program_entries(program, SECTION_STRINGS);
    uint32_t count = program_count(program, SECTION_STRINGS);
    if (!count || strings[0] || strings[count - 1])
        return refuse(check, "its strings do not begin and end with '\\0'");
    return true;
}

/* Options that sizes and bounds are computed from. */
static bool check_options(const struct check *check) {
    static const struct {
        enum option option;
        int64_t least, most;
    } bounds[] = {
        {OPTION_STRSIZE, 1, PROGRAM_STRSIZE_MAX},
        {OPTION_NSPEC, 0, INT32_MAX},
        {OPTION_BUFPOLICY, 0, 2},
    };
    for (size_t i = 0; i < sizeof bounds / sizeof bounds[0]; i++) {
        int64_t value = program_option(check->program, bounds[i].option);
        if (value < bounds[i].least || value > bounds[i].most)
            return refuse(check, "option %s is %lld, which is not between %lld and %lld",
                          options[bounds[i].option].name, (long long)value, (long long)bounds[i].least,
                          (long long)bounds[i].most);
    }
    return true;
}

static bool has_range(const struct program_header *program, enum program_section_id id, uint32_t first,
                      uint32_t count) {
    return first <= program_count(program, id) && count <= program_count(program, id) - first;
}

static bool is_string(const struct program_header *program, uint32_t offset) {
    return offset < program_count(program, SECTION_STRINGS);
}

static bool are_kinds(const struct program_header *program, uint32_t first, uint32_t count) {
    const uint8_t *kinds = program_entries(program, SECTION_KINDS);
    if (count > PROGRAM_KEYS_MAX || !has_range(program, SECTION_KINDS, first, count))
        return false;
    for (uint32_t i = first; i < first + count; i++) {
        if (kinds[i] != VALUE_INTEGER && kinds[i] != VALUE_STRING)
            return false;
    }
    return true;
}

static bool check_variables(const struct check *check) {
    const struct program_variable *variables = program_entries(check->program, SECTION_VARIABLES);
    for (uint32_t i = 0; i < program_count(check->program, SECTION_VARIABLES); i++) {
        const struct program_variable *variable = &variables[i];
        bool good =
            is_string(check->program, variable->name) && variable->scope <= SCOPE_CLAUSE &&
            (variable->kind == VALUE_INTEGER || (variable->kind == VALUE_STRING && !variable->by_address)) &&
            variable->by_address <= 1 && are_kinds(check->program, variable->first_key, variable->keys) &&
            (!variable->keys || variable->scope != SCOPE_CLAUSE) && variable->size <= PROGRAM_BYTES_MAX;
        if (!good)
            return refuse(check, "variable %u", i);
    }
    return true;
}

static bool good_parameters(const struct program_aggregation *aggregation) {
    const int64_t *parameters = aggregation->parameters;
    if (aggregation->function == AGGREGATING_LQUANTIZE)
        return parameters[0] >= INT32_MIN && parameters[0] <= INT32_MAX && parameters[1] > parameters[0] &&
               parameters[1] <= INT32_MAX && parameters[2] > 0 && parameters[2] <= INT32_MAX &&
               (parameters[1] - parameters[0]) / parameters[2] <= PROGRAM_BUCKETS_MAX;
    if (aggregation->function == AGGREGATING_LLQUANTIZE)
        return program_llquantize_buckets(parameters) > 0;
    return true;
}

static bool check_aggregations(const struct check *check) {
    const struct program_aggregation *aggregations = program_entries(check->program, SECTION_AGGREGATIONS);
    for (uint32_t i = 0; i < program_count(check->program, SECTION_AGGREGATIONS); i++) {
        const struct program_aggregation *aggregation = &aggregations[i];
        bool good = is_string(check->program, aggregation->name) &&
                    aggregation->function < AGGREGATING_FUNCTIONS &&
                    are_kinds(check->program, aggregation->first_key, aggregation->keys) &&
                    has_range(check->program, SECTION_FIELDS, aggregation->first_field, aggregation->keys) &&
                    good_parameters(aggregation);
        if (!good)
            return refuse(check, "aggregation %u", i);
    }
    return true;
}

static bool check_fields(const struct check *check) {
    const struct program_field *fields = program_entries(check->program, SECTION_FIELDS);
    for (uint32_t i = 0; i < program_count(check->program, SECTION_FIELDS); i++) {
        if (fields[i].kind > FIELD_BYTES || !is_string(check->program, fields[i].type))
            return refuse(check, "field %u", i);
    }
    return true;
}

static bool check_actions(const struct check *check) {
    const struct program_header *program = check->program;
    const struct program_action *actions = program_entries(program, SECTION_ACTIONS);
    const int64_t *integers = program_entries(program, SECTION_INTEGERS);
    for (uint32_t i = 0; i < program_count(program, SECTION_ACTIONS); i++) {
        const struct program_action *action = &actions[i];
        bool good = action->kind < ACTION_COUNT && is_string(program, action->format) &&
                    has_range(program, SECTION_FIELDS, action->first_field, action->fields);
        if (good && action->aggregations) {
            good = has_range(program, SECTION_INTEGERS, action->argument, action->aggregations);
            for (uint32_t k = 0; good && k < action->aggregations; k++)
                good =
                    (uint64_t)integers[action->argument + k] < program_count(program, SECTION_AGGREGATIONS);
        }
        if (!good)
            return refuse(check, "action %u", i);
    }
    return true;
}

static bool check_clauses(const struct check *check) {
    const struct program_header *program = check->program;
    const struct program_clause *clauses = program_entries(program, SECTION_CLAUSES);
    uint32_t instructions = program_count(program, SECTION_INSTRUCTIONS);
    for (uint32_t i = 0; i < program_count(program, SECTION_CLAUSES); i++) {
        const struct program_clause *clause = &clauses[i];
        bool good = (clause->decide < instructions || clause->decide == PROGRAM_NO_CODE) &&
                    clause->full < instructions && clause->decided < instructions &&
                    has_range(program, SECTION_ACTIONS, clause->first_action, clause->actions);
        if (!good)
            return refuse(check, "clause %u", i);
    }
    const struct program_enabling *enablings = program_entries(program, SECTION_ENABLINGS);
    for (uint32_t i = 0; i < program_count(program, SECTION_ENABLINGS); i++) {
        const struct program_enabling *enabling = &enablings[i];
        bool good = is_string(program, enabling->provider) && is_string(program, enabling->module) &&
                    is_string(program, enabling->function) && is_string(program, enabling->name) &&
                    enabling->clause < program_count(program, SECTION_CLAUSES);
        if (!good)
            return refuse(check, "enabling %u", i);
    }
    return true;
}

static const struct {
    const char *name;
    char operands[4]; /* of dst, a, b */
    char immediate;
} opcodes[OP_COUNT] = {
#define OPCODE(name, operands, immediate) {#name, operands, immediate},
    PROGRAM_OPCODES(OPCODE)
#undef OPCODE
};

/* The kinds K of the tables as kinds of values. */
enum { KIND_N = VALUE_NONE, KIND_I = VALUE_INTEGER, KIND_S = VALUE_STRING };

static const uint8_t builtin_kinds[BUILTIN_COUNT] = {
#define BUILTIN(name, text, kind, type) KIND_##kind,
    PROGRAM_BUILTINS(BUILTIN)
#undef BUILTIN
};

static const struct {
    uint8_t result;
    const char *operands;
} subroutines[SUBROUTINE_COUNT] = {
#define SUBROUTINE(name, text, result, operands, fewest, type, prototype) {KIND_##result, operands},
    PROGRAM_SUBROUTINES(SUBROUTINE)
#undef SUBROUTINE
};

static bool holds(const struct state *state, unsigned reg, enum value_kind kind) {
    enum register_kinds index = kind == VALUE_STRING ? REGISTER_STRING : REGISTER_INTEGER;
    return reg < PROGRAM_REGISTERS && (state->holds[index] >> reg & 1);
}

static void set(struct state *state, unsigned reg, enum value_kind kind) {
    for (int i = 0; i < REGISTER_KINDS; i++)
        state->holds[i] &= ~(1ULL << reg);
    if (kind != VALUE_NONE)
        state->holds[kind == VALUE_STRING ? REGISTER_STRING : REGISTER_INTEGER] |= 1ULL << reg;
}

static void merge(struct state *into, const struct state *from) {
    for (int i = 0; i < REGISTER_KINDS; i++)
        into->holds[i] = into->reached ? into->holds[i] & from->holds[i] : from->holds[i];
    into->reached = true;
}

/* Does the immediate name something that there is? `next` instructions follow this one. */
static bool good_immediate(const struct program_header *program, char letter, uint8_t op, int32_t immediate,
                           uint32_t next) {
    static const struct {
        char letter;
        enum program_section_id section;
    } indices[] = {
        {'C', SECTION_INTEGERS},     {'T', SECTION_STRINGS}, {'V', SECTION_VARIABLES},
        {'G', SECTION_AGGREGATIONS}, {'P', SECTION_ACTIONS},
    };
    for (size_t i = 0; i < sizeof indices / sizeof indices[0]; i++) {
        if (indices[i].letter == letter)
            return immediate >= 0 && (uint32_t)immediate < program_count(program, indices[i].section);
    }
    switch (letter) {
    case 'J':
        return immediate >= 0 && (uint32_t)immediate < next;
    case 'B':
        return immediate >= 0 && immediate < BUILTIN_COUNT;
    case 'F':
        return immediate >= 0 && immediate < SUBROUTINE_COUNT;
    }
    int64_t width = immediate < 0 ? -(int64_t)immediate : immediate;
    switch (op) {
    case OP_EXTEND:
    case OP_TRUNCATE:
        return immediate >= 1 && immediate <= 64;
    case OP_READ:
        return immediate > -64 && (width == 1 || width == 2 || width == 4 || width == 8);
    case OP_WRITE:
        return immediate == 1 || immediate == 2 || immediate == 4 || immediate == 8;
    case OP_COPY:
        return immediate >= 0 && immediate <= PROGRAM_BYTES_MAX;
    case OP_FAIL:
        return immediate >= 0 && immediate < FAULT_COUNT;
    }
    return true;
}

/* The variable suits the instruction: a scalar or keyed, by value or by address. */
static bool good_variable(const struct program_variable *variable, uint8_t op) {
    bool keyed = op == OP_LOAD_KEYED || op == OP_STORE_KEYED || op == OP_ADDRESS_KEYED;
    bool address = op == OP_ADDRESS || op == OP_ADDRESS_KEYED;
    return keyed == (variable->keys > 0) && address == (variable->by_address != 0);
}

/* The kinds of a range of registers as a signature or keys want them. */
static bool good_range(const struct program_header *program, const struct program_instruction *instruction,
                       const struct state *state, unsigned first, unsigned count) {
    const uint8_t *kinds = program_entries(program, SECTION_KINDS);
    const struct program_variable *variables = program_entries(program, SECTION_VARIABLES);
    const struct program_aggregation *aggregations = program_entries(program, SECTION_AGGREGATIONS);
    const char *operands = NULL;
    unsigned wanted;
    switch (opcodes[instruction->op].immediate) {
    case 'F':
        operands = subroutines[instruction->immediate].operands;
        wanted = (unsigned)strlen(operands);
        break;
    case 'V':
        kinds += variables[instruction->immediate].first_key;
        wanted = variables[instruction->immediate].keys;
        break;
    default:
        kinds += aggregations[instruction->immediate].first_key;
        wanted = aggregations[instruction->immediate].keys;
    }
    if (count != wanted || first >= PROGRAM_REGISTERS)
        return false;
    for (unsigned i = 0; i < count; i++) {
        enum value_kind kind = operands ? (operands[i] == 'S' ? VALUE_STRING : VALUE_INTEGER) : kinds[i];
        if (!holds(state, first + i, kind))
            return false;
    }
    return true;
}

/* The value of an aggregating function, and its increment behind it. */
static bool good_value(const struct program_header *program, const struct program_instruction *instruction,
                       const struct state *state) {
    const struct program_aggregation *aggregations = program_entries(program, SECTION_AGGREGATIONS);
    unsigned function = aggregations[instruction->immediate].function;
    bool increment = function == AGGREGATING_QUANTIZE || function == AGGREGATING_LQUANTIZE ||
                     function == AGGREGATING_LLQUANTIZE;
    return function == AGGREGATING_COUNT ||
           (holds(state, instruction->dst, VALUE_INTEGER) &&
            (!increment || holds(state, instruction->dst + 1U, VALUE_INTEGER)));
}

static bool good_operands(const struct program_header *program, const struct program_instruction *instruction,
                          const struct state *state) {
    const struct program_variable *variables = program_entries(program, SECTION_VARIABLES);
    const char *operands = opcodes[instruction->op].operands;
    const uint8_t values[3] = {instruction->dst, instruction->a, instruction->b};
    if (opcodes[instruction->op].immediate == 'V' &&
        !good_variable(&variables[instruction->immediate], instruction->op))
        return false;
    if (instruction->op == OP_AGGREGATE)
        return instruction->dst < PROGRAM_REGISTERS && good_value(program, instruction, state) &&
               good_range(program, instruction, state, instruction->a, instruction->b);
    for (int i = 0; i < 3; i++) {
        bool good = true;
        switch (operands[i]) {
        case 'W':
            good = values[i] < PROGRAM_REGISTERS;
            break;
        case 'I':
            good = holds(state, values[i], VALUE_INTEGER);
            break;
        case 'S':
            good = holds(state, values[i], VALUE_STRING);
            break;
        case 'A':
            good = good_range(program, instruction, state, instruction->a, instruction->b);
            break;
        case '?':
            if (instruction->op != OP_MOVE)
                good = holds(state, values[i], variables[instruction->immediate].kind);
            else if (i == 1)
                good = holds(state, values[i], VALUE_INTEGER) || holds(state, values[i], VALUE_STRING);
            break;
        }
        if (!good)
            return false;
    }
    return true;
}

static enum value_kind result_kind(const struct program_header *program,
                                   const struct program_instruction *instruction, const struct state *state) {
    const struct program_variable *variables = program_entries(program, SECTION_VARIABLES);
    switch (instruction->op) {
    case OP_SET_STRING:
    case OP_SET_NULL:
        return VALUE_STRING;
    case OP_MOVE:
        return holds(state, instruction->a, VALUE_STRING) ? VALUE_STRING : VALUE_INTEGER;
    case OP_BUILTIN:
        return builtin_kinds[instruction->immediate];
    case OP_CALL:
        return subroutines[instruction->immediate].result;
    case OP_LOAD:
    case OP_LOAD_KEYED:
        return variables[instruction->immediate].kind;
    default:
        return VALUE_INTEGER;
    }
}

static bool check_instruction(const struct check *check, struct state *states, uint32_t index) {
    const struct program_header *program = check->program;
    const struct program_instruction *instructions = program_entries(program, SECTION_INSTRUCTIONS);
    const struct program_instruction *instruction = &instructions[index];
    uint32_t next = program_count(program, SECTION_INSTRUCTIONS) - index - 1;
    if (instruction->op >= OP_COUNT)
        return refuse(check, "instruction %u has no such opcode: %u", index, instruction->op);
    const char *name = opcodes[instruction->op].name;
    if (!good_immediate(program, opcodes[instruction->op].immediate, instruction->op, instruction->immediate,
                        next))
        return refuse(check, "instruction %u, %s, has the immediate %d", index, name, instruction->immediate);
    struct state after = states[index];
    if (!good_operands(program, instruction, &after))
        return refuse(check, "instruction %u, %s, has operands that it cannot take", index, name);
    if (opcodes[instruction->op].operands[0] == 'W')
        set(&after, instruction->dst, result_kind(program, instruction, &after));
    if (opcodes[instruction->op].immediate == 'J')
        merge(&states[index + 1 + (uint32_t)instruction->immediate], &after);
    if (instruction->op == OP_END || instruction->op == OP_SKIP || instruction->op == OP_JUMP ||
        instruction->op == OP_FAIL)
        return true;
    if (!next)
        return refuse(check, "its code has no end");
    merge(&states[index + 1], &after);
    return true;
}

static bool check_code(const struct check *check) {
    const struct program_header *program = check->program;
    const struct program_clause *clauses = program_entries(program, SECTION_CLAUSES);
    const struct state entry = {.reached = true};
    uint32_t count = program_count(program, SECTION_INSTRUCTIONS);
    struct state *states = calloc((size_t)count + 1, sizeof *states);
    if (!states) {
        snprintf(check->problem, check->n, "not enough memory to check the program");
        return false;
    }
    for (uint32_t i = 0; i < program_count(program, SECTION_CLAUSES); i++) {
        merge(&states[clauses[i].full], &entry);
        merge(&states[clauses[i].decided], &entry);
        if (clauses[i].decide != PROGRAM_NO_CODE)
            merge(&states[clauses[i].decide], &entry);
    }
    bool good = true;
    for (uint32_t i = 0; good && i < count; i++) {
        if (states[i].reached)
            good = check_instruction(check, states, i);
    }
    free(states);
    return good;
}

bool program_check(const void *bytes, size_t size, char *problem, size_t n) {
    const struct program_header *program = bytes;
    const struct check check = {program, problem, n};
    if (size < sizeof *program || memcmp(program->magic, "catD", 4) != 0)
        return refuse(&check, "it does not begin as one");
    if (program->version != PROGRAM_VERSION) {
        snprintf(
            problem, n,
            "the program is of version %u, this side understands version %d: use the same catprobe on both",
            program->version, PROGRAM_VERSION);
        return false;
    }
    if (program->size != size || size > PROGRAM_SIZE_MAX)
        return refuse(&check, "it is %zu bytes long, its header says %u", size, program->size);
    return check_sections(&check, size) && check_options(&check) && check_variables(&check) &&
           check_aggregations(&check) && check_fields(&check) && check_actions(&check) &&
           check_clauses(&check) && check_code(&check);
}

static const struct {
    const char *names[2];
    int64_t nanoseconds;
} time_units[] = {
    {{"hz", "hz"}, 0},
    {{"ns", "nsec"}, 1},
    {{"us", "usec"}, 1000},
    {{"ms", "msec"}, 1000000},
    {{"s", "sec"}, 1000000000},
    {{"m", "min"}, INT64_C(60) * 1000000000},
    {{"h", "hour"}, INT64_C(3600) * 1000000000},
    {{"d", "day"}, INT64_C(86400) * 1000000000},
};

int64_t program_time_unit(const char *name) {
    for (size_t i = 0; i < sizeof time_units / sizeof time_units[0]; i++)
        if (strcasecmp(time_units[i].names[0], name) == 0 || strcasecmp(time_units[i].names[1], name) == 0)
            return time_units[i].nanoseconds;
    return -1;
}

uint64_t program_clock_period(const char *name) {
    static const char *const kinds[] = {"tick-", "profile-"};
    enum { KINDS = sizeof kinds / sizeof kinds[0], SECOND = 1000000000, SHORTEST = 200000 /* as DTrace's */ };
    size_t kind = 0;
    while (kind < KINDS && strncmp(name, kinds[kind], strlen(kinds[kind])) != 0)
        kind++;
    const char *digits = kind < KINDS ? name + strlen(kinds[kind]) : "";
    size_t length = strspn(digits, "0123456789");
    if (length == 0 || length > 18)
        return 0;
    uint64_t number = strtoull(digits, NULL, 10);
    int64_t unit = digits[length] == '\0' ? 0 : program_time_unit(digits + length);
    if (number == 0 || unit < 0 || (unit > 0 && number > (uint64_t)(INT64_MAX / unit)))
        return 0;
    uint64_t period = unit == 0 ? SECOND / number : number * (uint64_t)unit;
    return period >= SHORTEST ? period : 0;
}
