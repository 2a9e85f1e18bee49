/*
 * assembler.h: programs made instruction by instruction, and an engine that runs them, for tests that need no
 * compiler. What the clauses record comes back as text.
 */
#ifndef ASSEMBLER_H
#define ASSEMBLER_H

#include "engine/arena.h"
#include "engine/engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ASSEMBLER_MOST = 2048, ASSEMBLER_STRINGS = 16384 };

struct assembler {
    char strings[ASSEMBLER_STRINGS];
    uint32_t string_size;
    int64_t integers[ASSEMBLER_MOST];
    struct program_instruction instructions[ASSEMBLER_MOST];
    struct program_variable variables[ASSEMBLER_MOST];
    uint8_t kinds[ASSEMBLER_MOST];
    struct program_aggregation aggregations[ASSEMBLER_MOST];
    struct program_field fields[ASSEMBLER_MOST];
    struct program_action actions[ASSEMBLER_MOST];
    struct program_clause clauses[ASSEMBLER_MOST];
    struct program_enabling enablings[ASSEMBLER_MOST];
    uint32_t integer_count, instruction_count, variable_count, kind_count, aggregation_count, field_count,
        action_count, clause_count;
    int64_t options[OPTION_COUNT];
    bool without_cpu; /* the program does not want it */

    struct program_header *program; /* by assembler_finish */
    struct arena *arena;            /* by assembler_run */
    int file;
    struct engine *engine;
    struct engine_thread *thread;
};

static inline void assembler_begin(struct assembler *as) {
    memset(as, 0, sizeof *as);
    as->string_size = 1;
    as->file = -1;
    for (int i = 0; i < OPTION_COUNT; i++)
        as->options[i] = OPTION_UNSET;
}

static inline uint32_t assembler_string(struct assembler *as, const char *string) {
    uint32_t offset = as->string_size;
    strcpy(as->strings + offset, string);
    as->string_size += (uint32_t)strlen(string) + 1;
    return offset;
}

static inline void op(struct assembler *as, enum opcode opcode, uint8_t dst, uint8_t a, uint8_t b,
                      int32_t immediate) {
    as->instructions[as->instruction_count++] =
        (struct program_instruction){(uint8_t)opcode, dst, a, b, immediate};
}

/* A clause for probes of this name, "module:function:name" or a name alone; its code follows. */
static inline uint32_t clause(struct assembler *as, const char *probe, uint32_t flags) {
    char parts[3][64] = {"", "", ""};
    if (sscanf(probe, "%63[^:]:%63[^:]:%63s", parts[0], parts[1], parts[2]) < 3) {
        parts[0][0] = parts[1][0] = '\0';
        snprintf(parts[2], sizeof parts[2], "%s", probe);
    }
    uint32_t id = as->clause_count++;
    as->clauses[id] = (struct program_clause){.decide = PROGRAM_NO_CODE,
                                              .full = as->instruction_count,
                                              .decided = as->instruction_count,
                                              .flags = flags,
                                              .first_action = as->action_count};
    as->enablings[id] = (struct program_enabling){.module = assembler_string(as, parts[0]),
                                                  .function = assembler_string(as, parts[1]),
                                                  .name = assembler_string(as, parts[2]),
                                                  .clause = id};
    return id;
}

static inline void end(struct assembler *as) {
    op(as, OP_END, 0, 0, 0, 0);
}

static inline uint32_t action(struct assembler *as, enum action kind, enum field_kind field) {
    as->fields[as->field_count] = (struct program_field){.kind = (uint8_t)field, .size = 64};
    as->actions[as->action_count] =
        (struct program_action){.kind = (uint8_t)kind, .fields = 1, .first_field = as->field_count++};
    as->clauses[as->clause_count - 1].actions++;
    return as->action_count++;
}

static inline void emit_integer(struct assembler *as, uint8_t reg) {
    op(as, OP_EMIT_INTEGER, 0, reg, 0, (int32_t)action(as, ACTION_TRACE, FIELD_INTEGER));
}

static inline void emit_string(struct assembler *as, uint8_t reg) {
    op(as, OP_EMIT_STRING, 0, reg, 0, (int32_t)action(as, ACTION_TRACE, FIELD_STRING));
}

/* An action of the engine with an integer that lies in a register. */
static inline void act(struct assembler *as, enum action kind, uint8_t reg) {
    int32_t id = (int32_t)action(as, kind, FIELD_INTEGER);
    op(as, OP_EMIT_INTEGER, 0, reg, 0, id);
    op(as, OP_ACT, 0, 0, 0, id);
}

static inline void set(struct assembler *as, uint8_t reg, int64_t number) {
    if (number == (int32_t)number) {
        op(as, OP_SET, reg, 0, 0, (int32_t)number);
    } else {
        as->integers[as->integer_count] = number;
        op(as, OP_SET_LONG, reg, 0, 0, (int32_t)as->integer_count++);
    }
}

static inline void set_string(struct assembler *as, uint8_t reg, const char *string) {
    op(as, OP_SET_STRING, reg, 0, 0, (int32_t)assembler_string(as, string));
}

/* Kinds by letters: i, s. */
static inline uint32_t kinds(struct assembler *as, const char *letters) {
    uint32_t first = as->kind_count;
    for (; *letters; letters++)
        as->kinds[as->kind_count++] = *letters == 's' ? VALUE_STRING : VALUE_INTEGER;
    return first;
}

/* A variable with a value of kind i, s, or b: so many bytes by address. */
static inline int32_t variable(struct assembler *as, enum variable_scope scope, char kind, const char *keys,
                               uint32_t size) {
    as->variables[as->variable_count] = (struct program_variable){
        .scope = (uint8_t)scope,
        .kind = kind == 's' ? VALUE_STRING : VALUE_INTEGER,
        .by_address = kind == 'b',
        .keys = (uint8_t)strlen(keys),
        .first_key = kinds(as, keys),
        .size = size,
    };
    return (int32_t)as->variable_count++;
}

static inline int32_t aggregation(struct assembler *as, enum aggregating_function function, const char *keys,
                                  const int64_t *parameters) {
    struct program_aggregation *made = &as->aggregations[as->aggregation_count];
    *made = (struct program_aggregation){.function = (uint8_t)function,
                                         .keys = (uint8_t)strlen(keys),
                                         .first_key = kinds(as, keys),
                                         .first_field = as->field_count};
    for (const char *key = keys; *key; key++)
        as->fields[as->field_count++].kind = *key == 's' ? FIELD_STRING : FIELD_INTEGER;
    if (parameters)
        memcpy(made->parameters, parameters, sizeof made->parameters);
    return (int32_t)as->aggregation_count++;
}

static inline uint32_t assembler_put(char *to, uint32_t at, struct program_section *section, const void *from,
                                     uint32_t count, size_t size) {
    *section = (struct program_section){.offset = at, .count = count};
    memcpy(to + at, from, count * size);
    return (uint32_t)(at + count * size + 7) & ~7u;
}

static inline void assembler_finish(struct assembler *as) {
    char *bytes = calloc(1, sizeof *as + 4096);
    struct program_header *program = (struct program_header *)(void *)bytes;
    struct program_section *sections = program->sections;
    uint32_t at = sizeof *program;
    memcpy(program->magic, "catD", 4);
    program->version = PROGRAM_VERSION;
    program->flags = as->without_cpu ? 0 : PROGRAM_WANTS_CPU;
    memcpy(program->options, as->options, sizeof as->options);
#define PUT(id, array, count) at = assembler_put(bytes, at, &sections[id], array, count, sizeof *(array))
    PUT(SECTION_STRINGS, as->strings, as->string_size);
    PUT(SECTION_INTEGERS, as->integers, as->integer_count);
    PUT(SECTION_INSTRUCTIONS, as->instructions, as->instruction_count);
    PUT(SECTION_VARIABLES, as->variables, as->variable_count);
    PUT(SECTION_KINDS, as->kinds, as->kind_count);
    PUT(SECTION_AGGREGATIONS, as->aggregations, as->aggregation_count);
    PUT(SECTION_FIELDS, as->fields, as->field_count);
    PUT(SECTION_ACTIONS, as->actions, as->action_count);
    PUT(SECTION_CLAUSES, as->clauses, as->clause_count);
    PUT(SECTION_ENABLINGS, as->enablings, as->clause_count);
#undef PUT
    program->size = at;
    as->program = program;
}

/* The probes of the engine in tests, by index. */
enum { PROBE_BEGIN, PROBE_END, PROBE_ENTRY, PROBE_RETURN, PROBE_GC };
static const struct engine_probe assembler_probes[] = {
    {.id = 1, .provider = "dtrace", .name = "BEGIN"},
    {.id = 2, .provider = "dtrace", .name = "END"},
    {.id = 4, .name = "function-entry", .strings = 3, .by_code = 3, .has_code = true},
    {.id = 5, .name = "function-return", .strings = 3, .by_code = 3, .has_code = true},
    {.id = 6, .name = "gc-start", .strings = 2},
};
static const struct engine_host assembler_host = {
    .provider = "python7",
    .pid = 7,
    .probes = assembler_probes,
    .probe_count = sizeof assembler_probes / sizeof assembler_probes[0],
};

/* Finishes the program and opens an arena, an engine, and a thread for it. */
static inline void assembler_run(struct assembler *as) {
    char problem[256] = "";
    struct arena_shape shape;
    assembler_finish(as);
    if (!program_check(as->program, as->program->size, problem, sizeof problem)) {
        printf("program_check: %s\n", problem);
        exit(1);
    }
    arena_shape_of(&shape, as->program);
    as->file = arena_create(&shape, problem, sizeof problem);
    as->arena = as->file < 0 ? NULL : arena_map(as->file, problem, sizeof problem);
    if (as->arena)
        as->engine =
            engine_open(as->program, as->program->size, as->arena, &assembler_host, problem, sizeof problem);
    if (as->engine)
        as->thread = engine_thread_enter(as->engine, 70);
    if (!as->thread) {
        printf("engine: %s\n", problem);
        exit(1);
    }
}

static inline void assembler_close(struct assembler *as) {
    if (as->engine)
        engine_close(as->engine);
    if (as->arena)
        arena_unmap(as->arena);
    if (as->file >= 0)
        close(as->file);
    free(as->program);
}

/* An event, by default of function `func` in "/tmp/dir/demo.py", which is code object 1. */
static inline void fire_code(struct assembler *as, uint32_t probe, uint32_t code_id, const char *file,
                             const char *function) {
    const uint64_t arguments[10] = {(uintptr_t)file, (uintptr_t)function, 11, 12};
    struct engine_event event = {
        .probe = probe, .code_id = code_id, .file = file, .function = function, .arguments = arguments};
    engine_fire(as->thread, &event);
}

static inline void fire(struct assembler *as, uint32_t probe) {
    bool has_code = assembler_probes[probe].has_code;
    fire_code(as, probe, has_code ? 1 : 0, has_code ? "/tmp/dir/demo.py" : NULL, has_code ? "func" : NULL);
}

/* The fields of one record as text: "enabling:", then " integer" or " 'text'" by the program's fields. */
static inline void assembler_print(const struct assembler *as, const struct arena_record *record, FILE *out) {
    const char *at = (const char *)(record + 1);
    if (record->enabling == RECORD_FAULT) {
        int64_t fault[5];
        memcpy(fault, at, sizeof fault);
        fprintf(out, "fault: %lld %lld %s 0x%llx\n", (long long)fault[0], (long long)fault[1],
                engine_fault_name((enum fault)fault[3]), (unsigned long long)fault[4]);
        return;
    }
    fprintf(out, "%u:", record->enabling);
    const struct program_clause *clause = &as->clauses[as->enablings[record->enabling].clause];
    for (uint32_t i = clause->first_action; i < clause->first_action + clause->actions; i++) {
        for (uint32_t k = 0; k < as->actions[i].fields; k++) {
            uint32_t length;
            int64_t integer;
            if (as->fields[as->actions[i].first_field + k].kind == FIELD_INTEGER) {
                memcpy(&integer, at, sizeof integer);
                fprintf(out, " %lld", (long long)integer);
                at += 8;
            } else {
                memcpy(&length, at, sizeof length);
                fprintf(out, " '%.*s'", (int)length, at + sizeof length);
                at += (sizeof length + length + 1 + 7) / 8 * 8;
            }
        }
    }
    fprintf(out, "\n");
}

/* The words have a %s for where it was. */
static inline void assembler_print_drop(FILE *out, uint64_t count, const char *words) {
    const char *where = strstr(words, "%s");
    fprintf(out, "%llu %.*s%s\n", (unsigned long long)count,
            (int)(where ? where - words : (long)strlen(words)), words, where ? where + 2 : "");
}

/* All records of the slots, one after the other, and what was dropped; as the consumer would, without
 * freeing. */
static inline void assembler_read(const struct assembler *as, char *text, size_t n) {
    static const char *const drops[] = {
#define DROP(name, words) words,
        PROGRAM_DROPS(DROP)
#undef DROP
    };
    FILE *out = fmemopen(text, n, "w");
    for (uint32_t i = 0; i < arena_slots_used(as->arena); i++) {
        const struct arena_slot *slot = arena_slot(as->arena, i);
        const struct arena_chunk *chunk = arena_chunk(as->arena, slot->first_record_chunk);
        for (; chunk; chunk = arena_chunk(as->arena, chunk->next)) {
            for (uint32_t at = 0; at < chunk->used;) {
                const struct arena_record *record =
                    (const struct arena_record *)(const void *)((const char *)(chunk + 1) + at);
                assembler_print(as, record, out);
                at += record->size;
            }
        }
        for (int k = 0; k < DROP_COUNT; k++)
            if (slot->drops[k])
                assembler_print_drop(out, slot->drops[k], drops[k]);
    }
    fclose(out);
}

#endif
