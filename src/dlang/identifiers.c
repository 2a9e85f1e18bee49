/*
 * identifiers.c: a hash table of names for each of D's name spaces, filled with what D itself knows.
 */
#include "identifiers.h"
#include "calls.h"
#include "program/tables.h"
#include "psinfo.h"

#include <stdint.h>
#include <string.h>

enum { BUCKETS = 128 };

struct identifiers {
    struct memory *memory;
    struct identifier *buckets[IDENTIFIER_SPACES][BUCKETS];
};

static const struct {
    const char *name, *type;
} builtins[BUILTIN_COUNT] = {
#define BUILTIN(name, text, kind, type) {text, type},
    PROGRAM_BUILTINS(BUILTIN)
#undef BUILTIN
};

/* Names that are D's but no values by themselves. */
static const struct {
    const char *name;
    enum identifier_kind kind;
} others[] = {
    {"args", IDENTIFIER_ARGUMENTS}, {"uregs", IDENTIFIER_ARGUMENTS},    {"self", IDENTIFIER_POINTER},
    {"this", IDENTIFIER_POINTER},   {"curthread", IDENTIFIER_KERNEL},   {"curpsinfo", IDENTIFIER_KERNEL},
    {"curcpu", IDENTIFIER_KERNEL},  {"curlwpsinfo", IDENTIFIER_KERNEL},
};

static unsigned bucket_of(const char *name) {
    uint32_t hash = 2166136261U;
    for (; *name; name++)
        hash = (hash ^ (unsigned char)*name) * 16777619U;
    return hash % BUCKETS;
}

struct identifier *identifier_find(struct identifiers *identifiers, enum identifier_space space,
                                   const char *name) {
    struct identifier *identifier = identifiers->buckets[space][bucket_of(name)];
    while (identifier && strcmp(identifier->name, name) != 0)
        identifier = identifier->next;
    return identifier;
}

struct identifier *identifier_add(struct identifiers *identifiers, enum identifier_space space,
                                  enum identifier_kind kind, const char *name) {
    struct identifier *identifier = memory_allocate(identifiers->memory, sizeof *identifier);
    struct identifier **bucket = &identifiers->buckets[space][bucket_of(name)];
    identifier->next = *bucket;
    identifier->name = name;
    identifier->kind = kind;
    identifier->space = space;
    identifier->function = -1;
    return *bucket = identifier;
}

struct identifiers *identifiers_new(struct memory *memory, struct types *types) {
    struct identifiers *identifiers = memory_allocate(memory, sizeof *identifiers);
    identifiers->memory = memory;
    for (unsigned i = 0; i < BUILTIN_COUNT; i++) {
        struct identifier *builtin =
            identifier_add(identifiers, SPACE_GLOBALS, IDENTIFIER_BUILTIN, builtins[i].name);
        builtin->index = i;
        builtin->type = type_named(types, builtins[i].type);
        builtin->unimplemented = i == BUILTIN_IPL;
    }
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        struct identifier *other = identifier_add(identifiers, SPACE_GLOBALS, others[i].kind, others[i].name);
        const char *translation = psinfo_translation(others[i].name);
        if (translation) { /* DTrace has them from a library */
            other->type = type_pointer_to(types, type_named(types, translation));
            other->line = 1;
        }
    }
    for (unsigned i = 0; i < function_count; i++)
        identifier_add(identifiers, SPACE_GLOBALS, IDENTIFIER_FUNCTION, functions[i].name)->index = i;
    return identifiers;
}

const char *identifier_kind_name(const struct identifier *identifier) {
    static const char *const kinds[IDENTIFIER_KINDS] = {
        [IDENTIFIER_SCALAR] = "scalar",
        [IDENTIFIER_ARRAY] = "associative array",
        [IDENTIFIER_POINTER] = "pointer",
        [IDENTIFIER_BUILTIN] = "scalar",
        [IDENTIFIER_ARGUMENTS] = "associative array",
        [IDENTIFIER_KERNEL] = "scalar",
        [IDENTIFIER_INLINE] = "scalar",
        [IDENTIFIER_AGGREGATION] = "aggregation",
    };
    static const char *const functions_kinds[] = {
        [FUNCTION_SUBROUTINE] = "function",
        [FUNCTION_AGGREGATING] = "aggregating function",
        [FUNCTION_ACTION] = "tracing function",
    };
    if (identifier->kind == IDENTIFIER_FUNCTION)
        return functions_kinds[functions[identifier->index].kind];
    if (identifier->kind == IDENTIFIER_INLINE && identifier->parameters)
        return "associative array";
    return kinds[identifier->kind];
}

const char *identifier_prefix(enum identifier_space space) {
    static const char *const prefixes[IDENTIFIER_SPACES] = {"", "self->", "this->", "@"};
    return prefixes[space];
}

enum identifier_space identifier_space_of(enum node_scope scope) {
    return scope == NODE_THREAD ? SPACE_THREAD : scope == NODE_LOCAL ? SPACE_LOCALS : SPACE_GLOBALS;
}
