/*
 * listing.c: a program as text, section by section, each instruction with what its immediate names.
 */
#include "dlang.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct text {
    char *bytes; /* malloc; NULL when memory ran out */
    size_t length, capacity;
};

static void put(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void put(struct text *text, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (!text->bytes || length < 0)
        return;
    if (text->length + (size_t)length + 1 > text->capacity) {
        size_t capacity = (text->length + (size_t)length + 1) * 2;
        char *bytes = realloc(text->bytes, capacity);
        if (!bytes) {
            free(text->bytes);
            text->bytes = NULL;
            return;
        }
        text->bytes = bytes;
        text->capacity = capacity;
    }
    va_start(arguments, format);
    vsnprintf(text->bytes + text->length, text->capacity - text->length, format, arguments);
    va_end(arguments);
    text->length += (size_t)length;
}

static const struct {
    const char *name, *operands;
    char immediate;
} opcodes[OP_COUNT] = {
#define OPCODE(name, operands, immediate) {#name, operands, immediate},
    PROGRAM_OPCODES(OPCODE)
#undef OPCODE
};

static const char *const builtins[BUILTIN_COUNT] = {
#define BUILTIN(name, text, kind, type) text,
    PROGRAM_BUILTINS(BUILTIN)
#undef BUILTIN
};

static const char *const subroutines[SUBROUTINE_COUNT] = {
#define SUBROUTINE(name, text, result, operands, fewest, type, prototype) text,
    PROGRAM_SUBROUTINES(SUBROUTINE)
#undef SUBROUTINE
};

static const char *const actions[ACTION_COUNT] = {
#define ACTION(name, text, destructive) text,
    PROGRAM_ACTIONS(ACTION)
#undef ACTION
};

static const char *const aggregating[AGGREGATING_FUNCTIONS] = {
#define AGGREGATING(name, text, fewest, most) text,
    PROGRAM_AGGREGATING(AGGREGATING)
#undef AGGREGATING
};

static const char *const options[OPTION_COUNT] = {
#define OPTION(name, text, kind, fallback) text,
    PROGRAM_OPTIONS(OPTION)
#undef OPTION
};

static void put_quoted(struct text *text, const char *string) {
    put(text, "\"");
    for (; *string; string++) {
        if (*string == '\n')
            put(text, "\\n");
        else if (*string == '"' || *string == '\\')
            put(text, "\\%c", *string);
        else if ((unsigned char)*string < ' ')
            put(text, "\\%03o", (unsigned char)*string);
        else
            put(text, "%c", *string);
    }
    put(text, "\"");
}

static const char *scope_prefix(uint8_t scope) {
    return scope == SCOPE_THREAD ? "self->" : scope == SCOPE_CLAUSE ? "this->" : "";
}

static void put_immediate(struct text *text, const struct program_header *program, char letter,
                          int32_t immediate, uint32_t index) {
    const struct program_variable *variables = program_entries(program, SECTION_VARIABLES);
    const struct program_aggregation *aggregations = program_entries(program, SECTION_AGGREGATIONS);
    const struct program_action *all = program_entries(program, SECTION_ACTIONS);
    const int64_t *integers = program_entries(program, SECTION_INTEGERS);
    switch (letter) {
    case '-':
        return;
    case 'C':
        put(text, " %lld", (long long)integers[immediate]);
        return;
    case 'T':
        put(text, " ");
        put_quoted(text, program_string(program, (uint32_t)immediate));
        return;
    case 'J':
        put(text, " -> %u", index + 1 + (uint32_t)immediate);
        return;
    case 'V':
        put(text, " %s%s", scope_prefix(variables[immediate].scope),
            program_string(program, variables[immediate].name));
        return;
    case 'G':
        put(text, " @%s", program_string(program, aggregations[immediate].name));
        return;
    case 'B':
        put(text, " %s", builtins[immediate]);
        return;
    case 'F':
        put(text, " %s", subroutines[immediate]);
        return;
    case 'P':
        put(text, " %s #%d", actions[all[immediate].kind], immediate);
        return;
    default:
        put(text, " %d", immediate);
    }
}

static void put_instruction(struct text *text, const struct program_header *program, uint32_t index) {
    const struct program_instruction *instruction =
        (const struct program_instruction *)program_entries(program, SECTION_INSTRUCTIONS) + index;
    const char *operands = opcodes[instruction->op].operands;
    const unsigned values[3] = {instruction->dst, instruction->a, instruction->b};
    put(text, "%6u  %-21s", index, opcodes[instruction->op].name);
    for (int i = 0; i < 3; i++) {
        if (operands[i] == '#')
            put(text, " x%u", values[i]);
        else if (operands[i] != '-' && !(instruction->op == OP_MOVE && i == 2))
            put(text, " r%u", values[i]);
    }
    put_immediate(text, program, opcodes[instruction->op].immediate, instruction->immediate, index);
    put(text, "\n");
}

static void put_options(struct text *text, const struct program_header *program) {
    for (int i = 0; i < OPTION_COUNT; i++)
        if (program->options[i] != OPTION_UNSET)
            put(text, "option %s=%lld\n", options[i], (long long)program->options[i]);
}

static void put_keys(struct text *text, const struct program_header *program, uint32_t first, unsigned keys) {
    const uint8_t *kinds = program_entries(program, SECTION_KINDS);
    for (unsigned i = 0; i < keys; i++)
        put(text, "%s%s%s", i == 0 ? "[" : ", ", kinds[first + i] == VALUE_STRING ? "string" : "integer",
            i + 1 == keys ? "]" : "");
}

static void put_names(struct text *text, const struct program_header *program) {
    const struct program_variable *variables = program_entries(program, SECTION_VARIABLES);
    for (uint32_t i = 0; i < program_count(program, SECTION_VARIABLES); i++) {
        put(text, "variable %s%s", scope_prefix(variables[i].scope),
            program_string(program, variables[i].name));
        put_keys(text, program, variables[i].first_key, variables[i].keys);
        put(text, ": %s of %u bytes\n",
            variables[i].by_address             ? "memory"
            : variables[i].kind == VALUE_STRING ? "string"
                                                : "integer",
            variables[i].size);
    }
    const struct program_aggregation *aggregations = program_entries(program, SECTION_AGGREGATIONS);
    for (uint32_t i = 0; i < program_count(program, SECTION_AGGREGATIONS); i++) {
        put(text, "aggregation @%s", program_string(program, aggregations[i].name));
        put_keys(text, program, aggregations[i].first_key, aggregations[i].keys);
        put(text, " = %s\n", aggregating[aggregations[i].function]);
    }
}

static void put_fields(struct text *text, const struct program_header *program,
                       const struct program_action *action) {
    static const char *const kinds[] = {"integer", "string", "stack", "bytes"};
    const struct program_field *fields = program_entries(program, SECTION_FIELDS);
    for (uint32_t i = action->first_field; i < action->first_field + action->fields; i++)
        put(text, "  %s:%u%s", kinds[fields[i].kind], fields[i].size,
            fields[i].kind == FIELD_INTEGER && fields[i].is_signed ? "s" : "");
}

static void put_clause(struct text *text, const struct program_header *program, uint32_t index) {
    const struct program_clause *clause =
        (const struct program_clause *)program_entries(program, SECTION_CLAUSES) + index;
    const struct program_action *all = program_entries(program, SECTION_ACTIONS);
    put(text, "clause %u: line %u, full %u, decided %u", index, clause->line, clause->full, clause->decided);
    if (clause->decide != PROGRAM_NO_CODE)
        put(text, ", decide %u", clause->decide);
    put(text, "%s%s%s\n", clause->flags & CLAUSE_RECORDS ? ", records" : "",
        clause->flags & CLAUSE_NAMES_PROBE ? ", names the probe" : "",
        clause->flags & CLAUSE_SPECULATIVE ? ", speculative" : "");
    for (uint32_t i = clause->first_action; i < clause->first_action + clause->actions; i++) {
        put(text, "  #%u %s ", i, actions[all[i].kind]);
        put_quoted(text, program_string(program, all[i].format));
        put_fields(text, program, &all[i]);
        put(text, "\n");
    }
}

static void put_enablings(struct text *text, const struct program_header *program) {
    const struct program_enabling *enablings = program_entries(program, SECTION_ENABLINGS);
    for (uint32_t i = 0; i < program_count(program, SECTION_ENABLINGS); i++)
        put(text, "enabling %u: %s:%s:%s:%s clause %u\n", i, program_string(program, enablings[i].provider),
            program_string(program, enablings[i].module), program_string(program, enablings[i].function),
            program_string(program, enablings[i].name), enablings[i].clause);
}

char *dlang_listing(const struct program_header *program) {
    struct text text = {malloc(1024), 0, 1024};
    put(&text, "program of %u bytes%s\n", program->size,
        program->flags & PROGRAM_DESTRUCTIVE ? ", destructive" : "");
    put_options(&text, program);
    put_names(&text, program);
    put_enablings(&text, program);
    for (uint32_t i = 0; i < program_count(program, SECTION_CLAUSES); i++)
        put_clause(&text, program, i);
    for (uint32_t i = 0; i < program_count(program, SECTION_INSTRUCTIONS); i++)
        put_instruction(&text, program, i);
    return text.bytes;
}
