/*
 * assemble.c: the sections of a program as arrays that grow in the memory of the compilation.
 */
#include "assemble.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_CAPACITY = 256, BUCKETS = 256 };

struct section {
    char *bytes;
    uint32_t count, capacity; /* entries */
};

struct known_string {
    struct known_string *next; /* in the bucket */
    uint32_t offset;
};

struct assembly {
    struct memory *memory;
    struct section sections[SECTION_COUNT];
    struct known_string *strings[BUCKETS];
};

static const size_t entry_sizes[SECTION_COUNT] = {
    [SECTION_STRINGS] = 1,
    [SECTION_INTEGERS] = sizeof(int64_t),
    [SECTION_INSTRUCTIONS] = sizeof(struct program_instruction),
    [SECTION_VARIABLES] = sizeof(struct program_variable),
    [SECTION_KINDS] = 1,
    [SECTION_AGGREGATIONS] = sizeof(struct program_aggregation),
    [SECTION_FIELDS] = sizeof(struct program_field),
    [SECTION_ACTIONS] = sizeof(struct program_action),
    [SECTION_CLAUSES] = sizeof(struct program_clause),
    [SECTION_ENABLINGS] = sizeof(struct program_enabling),
};

struct assembly *assembly_new(struct memory *memory) {
    struct assembly *assembly = memory_allocate(memory, sizeof *assembly);
    assembly->memory = memory;
    assembly_string(assembly, "");
    return assembly;
}

static uint32_t append(struct assembly *assembly, enum program_section_id id, const void *entries,
                       uint32_t count) {
    struct section *section = &assembly->sections[id];
    size_t size = entry_sizes[id];
    if (section->count + count > section->capacity) {
        uint32_t capacity = section->capacity ? section->capacity * 2 : FIRST_CAPACITY;
        while (capacity < section->count + count)
            capacity *= 2;
        char *bytes = memory_allocate(assembly->memory, capacity * size);
        if (section->count)
            memcpy(bytes, section->bytes, section->count * size);
        section->bytes = bytes;
        section->capacity = capacity;
    }
    memcpy(section->bytes + section->count * size, entries, count * size);
    section->count += count;
    return section->count - count;
}

uint32_t assembly_add(struct assembly *assembly, enum program_section_id section, const void *entry) {
    return append(assembly, section, entry, 1);
}

void *assembly_entry(struct assembly *assembly, enum program_section_id section, uint32_t index) {
    return assembly->sections[section].bytes + index * entry_sizes[section];
}

uint32_t assembly_count(const struct assembly *assembly, enum program_section_id section) {
    return assembly->sections[section].count;
}

uint32_t assembly_string(struct assembly *assembly, const char *text) {
    uint32_t hash = 2166136261U;
    for (const char *c = text; *c; c++)
        hash = (hash ^ (unsigned char)*c) * 16777619U;
    struct known_string **bucket = &assembly->strings[hash % BUCKETS];
    for (const struct known_string *known = *bucket; known; known = known->next)
        if (strcmp(assembly->sections[SECTION_STRINGS].bytes + known->offset, text) == 0)
            return known->offset;
    struct known_string *known = memory_allocate(assembly->memory, sizeof *known);
    known->next = *bucket;
    known->offset = append(assembly, SECTION_STRINGS, text, (uint32_t)strlen(text) + 1);
    *bucket = known;
    return known->offset;
}

uint32_t assembly_integer(struct assembly *assembly, int64_t value) {
    const struct section *integers = &assembly->sections[SECTION_INTEGERS];
    for (uint32_t i = 0; i < integers->count; i++)
        if (((const int64_t *)(const void *)integers->bytes)[i] == value)
            return i;
    return assembly_add(assembly, SECTION_INTEGERS, &value);
}

static size_t round_up(size_t size) {
    return (size + 7) / 8 * 8;
}

struct program_header *assembly_finish(const struct assembly *assembly, const int64_t options[OPTION_COUNT],
                                       uint32_t flags) {
    size_t size = round_up(sizeof(struct program_header));
    for (int i = 0; i < SECTION_COUNT; i++)
        size += round_up(assembly->sections[i].count * entry_sizes[i]);
    struct program_header *program = size <= PROGRAM_SIZE_MAX ? calloc(1, size) : NULL;
    if (!program)
        return NULL;
    memcpy(program->magic, "catD", sizeof program->magic);
    program->version = PROGRAM_VERSION;
    program->size = (uint32_t)size;
    program->flags = flags;
    memcpy(program->options, options, sizeof program->options);
    size_t offset = round_up(sizeof *program);
    for (int i = 0; i < SECTION_COUNT; i++) {
        const struct section *section = &assembly->sections[i];
        program->sections[i] = (struct program_section){(uint32_t)offset, section->count};
        if (section->count)
            memcpy((char *)program + offset, section->bytes, section->count * entry_sizes[i]);
        offset += round_up(section->count * entry_sizes[i]);
    }
    return program;
}
