/*
 * by_hand.h: a program and an arena made by hand, as arena.h and program.h say, for tests of the consumer
 * that need no compiler and no engine. One program at a time.
 */
#ifndef BY_HAND_H
#define BY_HAND_H

#include "engine/arena.h"
#include "program/program.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BY_HAND_MOST = 64, BY_HAND_STRINGS = 4096 };

struct by_hand {
    char strings[BY_HAND_STRINGS];
    uint32_t string_length;
    int64_t integers[BY_HAND_MOST];
    uint8_t kinds[BY_HAND_MOST];
    struct program_aggregation aggregations[BY_HAND_MOST];
    struct program_field fields[BY_HAND_MOST];
    struct program_action actions[BY_HAND_MOST];
    struct program_clause clauses[BY_HAND_MOST];
    struct program_enabling enablings[BY_HAND_MOST];
    uint32_t integer_count, kind_count, aggregation_count, field_count, action_count, clause_count;
    int64_t options[OPTION_COUNT];

    struct program_header *program; /* made by by_hand_finish */
    struct arena *arena;
    int file;
    uint32_t record_chunk[8], aggregation_chunk[8]; /* where each of the first slots writes */
};

static inline void by_hand_begin(struct by_hand *hand) {
    memset(hand, 0, sizeof *hand);
    hand->string_length = 1;
    for (int i = 0; i < OPTION_COUNT; i++)
        hand->options[i] = OPTION_UNSET;
}

static inline uint32_t by_hand_string(struct by_hand *hand, const char *string) {
    uint32_t offset = hand->string_length;
    strcpy(hand->strings + offset, string);
    hand->string_length += (uint32_t)strlen(string) + 1;
    return offset;
}

static inline uint32_t by_hand_field(struct by_hand *hand, uint8_t kind, uint32_t size, bool is_signed,
                                     const char *type) {
    hand->fields[hand->field_count] = (struct program_field){
        .kind = kind, .is_signed = is_signed, .size = size, .type = by_hand_string(hand, type)};
    return hand->field_count++;
}

/* Fields by letters: i int, u unsigned, l long, L unsigned long, h short, H unsigned short, c char, C
   unsigned char, s string, k stack, b bytes. */
static inline uint32_t by_hand_fields(struct by_hand *hand, const char *letters) {
    static const struct {
        char letter;
        uint8_t kind;
        uint32_t size;
        bool is_signed;
        const char *type;
    } types[] = {
        {'i', FIELD_INTEGER, 4, true, "int"},          {'u', FIELD_INTEGER, 4, false, "unsigned int"},
        {'l', FIELD_INTEGER, 8, true, "long"},         {'L', FIELD_INTEGER, 8, false, "unsigned long"},
        {'h', FIELD_INTEGER, 2, true, "short"},        {'H', FIELD_INTEGER, 2, false, "unsigned short"},
        {'c', FIELD_INTEGER, 1, true, "char"},         {'C', FIELD_INTEGER, 1, false, "unsigned char"},
        {'s', FIELD_STRING, 256, false, "string"},     {'k', FIELD_STACK, 20, false, "stack"},
        {'b', FIELD_BYTES, 16, false, "struct thing"},
    };
    uint32_t first = hand->field_count;
    for (; *letters; letters++)
        for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
            if (types[i].letter == *letters)
                by_hand_field(hand, types[i].kind, types[i].size, types[i].is_signed, types[i].type);
    return first;
}

/* An action with these fields and a format. */
static inline struct program_action *by_hand_action(struct by_hand *hand, enum action kind,
                                                    const char *letters, const char *format) {
    struct program_action *action = &hand->actions[hand->action_count++];
    *action = (struct program_action){.kind = (uint8_t)kind, .fields = (uint16_t)strlen(letters)};
    action->first_field = by_hand_fields(hand, letters);
    action->format = format ? by_hand_string(hand, format) : 0;
    hand->clauses[hand->clause_count - 1].actions++;
    return action;
}

/* An action on aggregations, at most two. */
static inline void by_hand_on(struct by_hand *hand, enum action kind, const char *letters, const char *format,
                              int first, int second) {
    struct program_action *action = by_hand_action(hand, kind, letters, format);
    action->argument = hand->integer_count;
    action->aggregations = second >= 0 ? 2 : 1;
    hand->integers[hand->integer_count++] = first;
    if (second >= 0)
        hand->integers[hand->integer_count++] = second;
}

/* A clause, with one enabling of the same number; the actions that follow are its. */
static inline uint32_t by_hand_clause(struct by_hand *hand, uint32_t flags) {
    uint32_t id = hand->clause_count++;
    hand->clauses[id] = (struct program_clause){
        .decide = PROGRAM_NO_CODE, .flags = CLAUSE_RECORDS | flags, .first_action = hand->action_count};
    hand->enablings[id] = (struct program_enabling){.clause = id};
    return id;
}

static inline uint32_t by_hand_aggregation(struct by_hand *hand, const char *name,
                                           enum aggregating_function function, const char *keys,
                                           const int64_t *parameters) {
    struct program_aggregation *aggregation = &hand->aggregations[hand->aggregation_count];
    *aggregation = (struct program_aggregation){
        .name = by_hand_string(hand, name), .function = (uint8_t)function, .keys = (uint8_t)strlen(keys)};
    aggregation->first_key = hand->kind_count;
    for (const char *key = keys; *key; key++)
        hand->kinds[hand->kind_count++] = *key == 's' || *key == 'k' ? VALUE_STRING : VALUE_INTEGER;
    aggregation->first_field = by_hand_fields(hand, keys);
    if (parameters)
        memcpy(aggregation->parameters, parameters, sizeof aggregation->parameters);
    return hand->aggregation_count++;
}

static inline uint32_t by_hand_put(char *to, uint32_t at, struct program_section *section, const void *from,
                                   uint32_t count, size_t size) {
    *section = (struct program_section){.offset = at, .count = count};
    memcpy(to + at, from, count * size);
    return (uint32_t)(at + count * size + 7) & ~7u;
}

/* The program, and an arena for it with chunks of 4096 bytes. */
static inline void by_hand_finish(struct by_hand *hand) {
    static const struct program_instruction end = {.op = OP_END};
    char *bytes = calloc(1, sizeof *hand), problem[256] = "";
    struct program_header *program = (struct program_header *)(void *)bytes;
    struct program_section *sections = program->sections;
    uint32_t at = sizeof *program;
    memcpy(program->magic, "catD", 4);
    program->version = PROGRAM_VERSION;
    memcpy(program->options, hand->options, sizeof hand->options);
#define PUT(id, array, count) at = by_hand_put(bytes, at, &sections[id], array, count, sizeof *(array))
    PUT(SECTION_STRINGS, hand->strings, hand->string_length);
    PUT(SECTION_INTEGERS, hand->integers, hand->integer_count);
    PUT(SECTION_INSTRUCTIONS, &end, 1);
    PUT(SECTION_VARIABLES, hand->kinds, 0);
    PUT(SECTION_KINDS, hand->kinds, hand->kind_count);
    PUT(SECTION_AGGREGATIONS, hand->aggregations, hand->aggregation_count);
    PUT(SECTION_FIELDS, hand->fields, hand->field_count);
    PUT(SECTION_ACTIONS, hand->actions, hand->action_count);
    PUT(SECTION_CLAUSES, hand->clauses, hand->clause_count);
    PUT(SECTION_ENABLINGS, hand->enablings, hand->clause_count);
#undef PUT
    program->size = at;
    hand->program = program;
    if (!program_check(program, at, problem, sizeof problem)) {
        printf("program_check: %s\n", problem);
        exit(1);
    }

    struct arena_shape shape;
    arena_shape_of(&shape, program);
    shape.chunk_size = 4096;
    shape.chunks = 64;
    shape.slots = 8;
    hand->file = arena_create(&shape, problem, sizeof problem);
    hand->arena = hand->file < 0 ? NULL : arena_map(hand->file, problem, sizeof problem);
    if (!hand->arena) {
        printf("arena: %s\n", problem);
        exit(1);
    }
}

static inline void by_hand_end(struct by_hand *hand) {
    arena_unmap(hand->arena);
    close(hand->file);
    free(hand->program);
}

/* Takes slots 0 .. n - 1 for a process; thread i is 100 + i. */
static inline void by_hand_slots(struct by_hand *hand, uint32_t pid, uint32_t n) {
    while (n--) {
        uint32_t index = arena_take_slot(hand->arena, pid);
        arena_slot(hand->arena, index)->tid = 100 + index;
        hand->record_chunk[index] = hand->aggregation_chunk[index] = ARENA_NO_CHUNK;
    }
}

/* Room for `size` bytes at the end of a chain. */
static inline char *by_hand_room(struct by_hand *hand, uint32_t slot, uint32_t *chunk, uint32_t *first,
                                 uint32_t size) {
    struct arena_chunk *last = arena_chunk(hand->arena, *chunk);
    if (!last || last->used + size > arena_chunk_capacity(hand->arena)) {
        uint32_t fresh = arena_take_chunk(hand->arena, slot);
        __atomic_store_n(last ? &last->next : first, fresh, __ATOMIC_RELEASE);
        last = arena_chunk(hand->arena, *chunk = fresh);
    }
    return (char *)(last + 1) + last->used;
}

/* Fields of a record: by_hand_integer and by_hand_text append to it. */
struct by_hand_bytes {
    _Alignas(8) char bytes[4096];
    uint32_t size;
};

static inline void by_hand_integer(struct by_hand_bytes *to, int64_t integer) {
    memcpy(to->bytes + to->size, &integer, sizeof integer);
    to->size += sizeof integer;
}

static inline void by_hand_raw(struct by_hand_bytes *to, const char *bytes, uint32_t length) {
    memcpy(to->bytes + to->size, &length, sizeof length);
    memcpy(to->bytes + to->size + sizeof length, bytes, length);
    uint32_t size = (length + (uint32_t)sizeof length + 1 + 7) & ~7u;
    memset(to->bytes + to->size + sizeof length + length, 0, size - sizeof length - length);
    to->size += size;
}

static inline void by_hand_text(struct by_hand_bytes *to, const char *text) {
    by_hand_raw(to, text, (uint32_t)strlen(text));
}

/* A record of the clause's enabling: probe 10 + enabling, processor 1. */
static inline void by_hand_record(struct by_hand *hand, uint32_t slot, uint64_t time, uint32_t enabling,
                                  const struct by_hand_bytes *fields) {
    struct arena_slot *of = arena_slot(hand->arena, slot);
    struct arena_record record = {.enabling = enabling, .timestamp = time, .cpu = 1, .pid = of->owner};
    uint32_t size = fields ? fields->size : 0;
    record.size = (uint32_t)sizeof record + size;
    record.tid = of->tid;
    record.probe = 10 + (enabling == RECORD_FAULT ? 0 : enabling);
    char *to = by_hand_room(hand, slot, &hand->record_chunk[slot], &of->first_record_chunk, record.size);
    memcpy(to, &record, sizeof record);
    if (size)
        memcpy(to + sizeof record, fields->bytes, size);
    struct arena_chunk *chunk = arena_chunk(hand->arena, hand->record_chunk[slot]);
    of->written += record.size;
    __atomic_store_n(&chunk->used, chunk->used + record.size, __ATOMIC_RELEASE);
}

/* A new entry; returns where its data are. */
static inline int64_t *by_hand_entry(struct by_hand *hand, uint32_t slot, uint32_t aggregation,
                                     const struct by_hand_bytes *key) {
    struct arena_slot *of = arena_slot(hand->arena, slot);
    uint32_t words = program_aggregation_words(&hand->aggregations[aggregation]);
    uint32_t key_size = key ? key->size : 0;
    uint32_t size = (uint32_t)sizeof(struct arena_aggregate) + 8 * words + key_size;
    char *to = by_hand_room(hand, slot, &hand->aggregation_chunk[slot], &of->first_aggregation_chunk, size);
    struct arena_aggregate *entry = (struct arena_aggregate *)(void *)to;
    memset(entry, 0, size);
    entry->size = size;
    entry->generation = hand->arena->generations[aggregation];
    entry->aggregation = aggregation;
    entry->words = words;
    if (key_size)
        memcpy((char *)(entry->data + words), key->bytes, key_size);
    struct arena_chunk *chunk = arena_chunk(hand->arena, hand->aggregation_chunk[slot]);
    __atomic_store_n(&chunk->used, chunk->used + size, __ATOMIC_RELEASE);
    return entry->data;
}

#endif
