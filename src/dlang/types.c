/*
 * types.c: the types of D. A table of names for each of C's name spaces, and the layout of structs, unions
 * and bit-fields, which is DTrace's.
 */
#include "types.h"
#include "psinfo.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

enum { BUCKETS = 256 };

/* C's name spaces, and one for D's inlines that are numbers. */
enum space {
    SPACE_TYPE,
    SPACE_STRUCT,
    SPACE_UNION,
    SPACE_ENUM,
    SPACE_ENUMERATOR,
    SPACE_CONSTANT,
    SPACE_COUNT
};

struct entry {
    struct entry *next; /* in the bucket */
    const char *name;
    enum space space;
    bool is_own; /* known before the program says anything */
    struct type *type;
    int64_t value; /* of an enumerator */
};

struct types {
    struct memory *memory;
    struct entry *buckets[BUCKETS];
    struct type *string;
};

#define IS_SIGNED(c_type) ((c_type)-1 < (c_type)1)

/* What C knows by name. The first name of a width and sign is the one that constants get. */
#define INTEGER(name, c_type, is_char)                                                                       \
    { name, sizeof(c_type), _Alignof(c_type), TYPE_INTEGER, IS_SIGNED(c_type), is_char }
#define FLOAT(name, c_type)                                                                                  \
    { name, sizeof(c_type), _Alignof(c_type), TYPE_FLOAT, true, false }
static const struct {
    const char *name;
    size_t size, align;
    enum type_kind kind;
    bool is_signed, is_char;
} basics[] = {
    {"void", 0, 1, TYPE_VOID, false, false},
    INTEGER("char", signed char, true),
    INTEGER("signed char", signed char, true),
    INTEGER("unsigned char", unsigned char, true),
    INTEGER("short", short, false),
    INTEGER("unsigned short", unsigned short, false),
    INTEGER("int", int, false),
    INTEGER("unsigned int", unsigned, false),
    INTEGER("long", long, false),
    INTEGER("unsigned long", unsigned long, false),
    INTEGER("long long", long long, false),
    INTEGER("unsigned long long", unsigned long long, false),
    {"_Bool", sizeof(_Bool), _Alignof(_Bool), TYPE_INTEGER, false, false},
    FLOAT("float", float),
    FLOAT("double", double),
    FLOAT("long double", long double),
    {"stack", 0, 1, TYPE_STACK, false, false},
    {"symaddr", sizeof(void *), _Alignof(void *), TYPE_SYMBOL, false, false},
    {"aggregation", 0, 1, TYPE_AGGREGATION, false, false},
    {"dynamic", 0, 1, TYPE_DYNAMIC, false, false},
};

/* The integer of so many bits, for typedefs that are the same on every machine. */
#define INT64_NAME (sizeof(long) == 8 ? "long" : "long long")
#define UINT64_NAME (sizeof(long) == 8 ? "unsigned long" : "unsigned long long")

/* D's own typedefs, and those of the systems on which D programs are written. */
static const struct {
    const char *name, *base;
} aliases[] = {
    {"int8_t", "char"},
    {"int16_t", "short"},
    {"int32_t", "int"},
    {"int64_t", NULL},
    {"uint8_t", "unsigned char"},
    {"uint16_t", "unsigned short"},
    {"uint32_t", "unsigned int"},
    {"uint64_t", NULL},
    {"intptr_t", "long"},
    {"uintptr_t", "unsigned long"},
    {"size_t", "unsigned long"},
    {"ssize_t", "long"},
    {"ptrdiff_t", "long"},
    {"uchar_t", "unsigned char"},
    {"ushort_t", "unsigned short"},
    {"uint_t", "unsigned int"},
    {"ulong_t", "unsigned long"},
    {"longlong_t", "long long"},
    {"u_longlong_t", "unsigned long long"},
    {"u_char", "unsigned char"},
    {"u_short", "unsigned short"},
    {"u_int", "unsigned int"},
    {"u_long", "unsigned long"},
    {"u_int8_t", "unsigned char"},
    {"u_int16_t", "unsigned short"},
    {"u_int32_t", "unsigned int"},
    {"u_int64_t", "uint64_t"},
    {"u8", "unsigned char"},
    {"u16", "unsigned short"},
    {"u32", "unsigned int"},
    {"u64", "unsigned long long"},
    {"s8", "signed char"},
    {"s16", "short"},
    {"s32", "int"},
    {"s64", "long long"},
    {"__u8", "unsigned char"},
    {"__u16", "unsigned short"},
    {"__u32", "unsigned int"},
    {"__u64", "unsigned long long"},
    {"__s8", "signed char"},
    {"__s16", "short"},
    {"__s32", "int"},
    {"__s64", "long long"},
    {"bool", "_Bool"},
    {"hrtime_t", "int64_t"},
    {"pid_t", "int"},
    {"id_t", "int"},
    {"uid_t", "unsigned int"},
    {"gid_t", "unsigned int"},
    {"zoneid_t", "int"},
    {"projid_t", "int"},
    {"taskid_t", "int"},
    {"poolid_t", "int"},
    {"ctid_t", "int"},
    {"lgrp_id_t", "int"},
    {"chipid_t", "int"},
    {"psetid_t", "int"},
    {"processorid_t", "int"},
    {"pthread_t", "unsigned long"},
    {"dev_t", "unsigned int"},
    {"major_t", "unsigned int"},
    {"minor_t", "unsigned int"},
    {"mode_t", "unsigned int"},
    {"ino_t", "unsigned long"},
    {"nlink_t", "unsigned long"},
    {"off_t", "long"},
    {"loff_t", "long long"},
    {"offset_t", "long long"},
    {"blkcnt_t", "long"},
    {"blksize_t", "long"},
    {"time_t", "long"},
    {"clock_t", "long"},
    {"clockid_t", "int"},
    {"suseconds_t", "long"},
    {"socklen_t", "unsigned int"},
    {"key_t", "int"},
    {"wchar_t", "int"},
    {"ipaddr_t", "uint32_t"},
    {"in_addr_t", "uint32_t"},
    {"in_port_t", "uint16_t"},
    {"caddr_t", "char *"},
    {"u8", "unsigned char"},
    {"s8", "char"},
    {"u16", "unsigned short"},
    {"s16", "short"},
    {"u32", "unsigned int"},
    {"s32", "int"},
    {"__u8", "unsigned char"},
    {"__s8", "char"},
    {"__u16", "unsigned short"},
    {"__s16", "short"},
    {"__u32", "unsigned int"},
    {"__s32", "int"},
    {"u64", "unsigned long long"},
    {"s64", "long long"},
    {"__u64", "unsigned long long"},
    {"__s64", "long long"},
    {"gfp_t", "unsigned int"},
    {"sector_t", "uint64_t"},
};

static unsigned bucket_of(const char *name, enum space space) {
    uint32_t hash = 2166136261U + (uint32_t)space;
    for (; *name; name++)
        hash = (hash ^ (unsigned char)*name) * 16777619U;
    return hash % BUCKETS;
}

static struct entry *find(const struct types *types, enum space space, const char *name) {
    struct entry *entry = types->buckets[bucket_of(name, space)];
    while (entry && (entry->space != space || strcmp(entry->name, name) != 0))
        entry = entry->next;
    return entry;
}

static struct entry *enter(struct types *types, enum space space, const char *name, struct type *type) {
    struct entry *entry = memory_allocate(types->memory, sizeof *entry);
    struct entry **bucket = &types->buckets[bucket_of(name, space)];
    *entry = (struct entry){.next = *bucket, .name = name, .space = space, .type = type};
    return *bucket = entry;
}

static struct type *make(struct types *types, enum type_kind kind, const struct type *base) {
    struct type *type = memory_allocate(types->memory, sizeof *type);
    type->kind = kind;
    type->base = base;
    type->align = 1;
    return type;
}

static const char *copy_name(struct types *types, const char *name) {
    return memory_copy(types->memory, name, strlen(name));
}

/* An address of IPv6. */
static void define_in6_address(struct types *types) {
    const struct type *bytes = type_array_of(types, type_named(types, "uint8_t"), 16);
    const struct type_member member = {.name = "s6_addr", .type = bytes};
    const struct type *address = type_declare_tag(types, TYPE_STRUCT, "in6_addr");
    type_define_alias(types, "in6_addr_t", type_complete(types, address, TYPE_STRUCT, &member, 1));
}

struct types *types_new(struct memory *memory, size_t string_size) {
    struct types *types = memory_allocate(memory, sizeof *types);
    types->memory = memory;
    for (size_t i = 0; i < sizeof basics / sizeof *basics; i++) {
        struct type *type = make(types, basics[i].kind, NULL);
        type->name = basics[i].name;
        type->size = basics[i].size;
        type->align = basics[i].align;
        type->is_signed = basics[i].is_signed;
        type->is_char = basics[i].is_char;
        enter(types, SPACE_TYPE, type->name, type);
    }
    types->string = make(types, TYPE_STRING, NULL);
    types->string->name = "string";
    types->string->size = string_size;
    enter(types, SPACE_TYPE, "string", types->string);
    for (size_t i = 0; i < sizeof aliases / sizeof *aliases; i++) {
        const char *base = aliases[i].base           ? aliases[i].base
                           : *aliases[i].name == 'u' ? UINT64_NAME
                                                     : INT64_NAME;
        type_define_alias(types, aliases[i].name, type_named(types, base));
    }
    define_in6_address(types);
    psinfo_define(types);
    for (size_t i = 0; i < BUCKETS; i++)
        for (struct entry *entry = types->buckets[i]; entry; entry = entry->next)
            entry->is_own = true;
    return types;
}

bool type_is_own_alias(const struct types *types, const char *name) {
    const struct entry *entry = find(types, SPACE_TYPE, name);
    return entry && entry->is_own && entry->type->kind == TYPE_TYPEDEF;
}

void types_set_string_size(struct types *types, size_t string_size) {
    types->string->size = string_size;
}

/* The words that may stand before a name, and what they make of it. */
static const struct {
    const char *word;
    enum type_kind kind; /* TYPE_VOID: a qualifier */
    bool is_const, is_volatile;
} prefixes[] = {
    {"const ", TYPE_VOID, true, false},     {"volatile ", TYPE_VOID, false, true},
    {"struct ", TYPE_STRUCT, false, false}, {"union ", TYPE_UNION, false, false},
    {"enum ", TYPE_ENUM, false, false},
};

const struct type *type_named(struct types *types, const char *name) {
    enum type_kind kind = TYPE_VOID;
    bool is_const = false, is_volatile = false;
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++) {
        size_t length = strlen(prefixes[i].word);
        if (strncmp(name, prefixes[i].word, length) != 0)
            continue;
        name += length;
        is_const |= prefixes[i].is_const;
        is_volatile |= prefixes[i].is_volatile;
        kind = prefixes[i].kind;
    }
    size_t length = strlen(name);
    unsigned stars = 0;
    while (length > 0 && (name[length - 1] == '*' || name[length - 1] == ' '))
        stars += name[--length] == '*';
    char plain[256];
    if (length >= sizeof plain)
        return NULL;
    memcpy(plain, name, length);
    plain[length] = '\0';
    const struct type *type = NULL;
    if (kind != TYPE_VOID) {
        type = type_tagged(types, kind, plain);
    } else {
        const struct entry *entry = find(types, SPACE_TYPE, plain);
        type = entry ? entry->type : NULL;
    }
    if (type && (is_const || is_volatile))
        type = type_qualified(types, type, is_const, is_volatile, false);
    for (; type && stars > 0; stars--)
        type = type_pointer_to(types, type);
    return type;
}

static enum space space_of(enum type_kind kind) {
    return kind == TYPE_STRUCT ? SPACE_STRUCT : kind == TYPE_UNION ? SPACE_UNION : SPACE_ENUM;
}

const struct type *type_tagged(struct types *types, enum type_kind kind, const char *tag) {
    const struct entry *entry = find(types, space_of(kind), tag);
    return entry ? entry->type : NULL;
}

const struct type *type_pointer_to(struct types *types, const struct type *base) {
    struct type *type = make(types, TYPE_POINTER, base);
    type->size = sizeof(void *);
    type->align = _Alignof(void *);
    return type;
}

const struct type *type_array_of(struct types *types, const struct type *base, size_t count) {
    struct type *type = make(types, TYPE_ARRAY, base);
    type->count = count;
    type->size = base->size != 0 && count > SIZE_MAX / 2 / base->size ? SIZE_MAX / 2 : base->size * count;
    type->align = base->align;
    return type;
}

const struct type *type_function_of(struct types *types, const struct type *result) {
    return make(types, TYPE_FUNCTION, result);
}

const struct type *type_inner(struct types *types, enum type_kind kind) {
    if (kind == TYPE_STRING)
        return types->string;
    for (size_t i = 0; i < sizeof basics / sizeof *basics; i++)
        if (basics[i].kind == kind)
            return type_named(types, basics[i].name);
    return NULL;
}

const struct type *type_of_constant(struct types *types, uint64_t value, bool decimal, const char *suffix) {
    static const struct {
        const char *name;
        uint64_t limit;
    } candidates[] = {
        {"int", INT_MAX},         {"unsigned int", UINT_MAX},
        {"long", LONG_MAX},       {"unsigned long", ULONG_MAX},
        {"long long", LLONG_MAX}, {"unsigned long long", ULLONG_MAX},
    };
    size_t first = 0, step = decimal || *suffix == 'u' ? 2 : 1;
    for (; *suffix; suffix++)
        first += *suffix == 'u' || *suffix == 'U' ? 1 : 2;
    for (size_t i = first; i < sizeof candidates / sizeof *candidates; i += step)
        if (value <= candidates[i].limit)
            return type_named(types, candidates[i].name);
    return NULL;
}

const struct type *type_qualified(struct types *types, const struct type *type, bool is_const,
                                  bool is_volatile, bool is_restrict) {
    if (type->is_const >= is_const && type->is_volatile >= is_volatile && type->is_restrict >= is_restrict)
        return type;
    struct type *qualified = memory_allocate(types->memory, sizeof *qualified);
    *qualified = *type;
    qualified->is_const |= is_const;
    qualified->is_volatile |= is_volatile;
    qualified->is_restrict |= is_restrict;
    if (type->kind == TYPE_FORWARD || type->kind == TYPE_STRING)
        qualified->base = type; /* what it is may change: see type_resolve */
    return qualified;
}

const struct type *type_define_alias(struct types *types, const char *name, const struct type *base) {
    if (find(types, SPACE_TYPE, name))
        return NULL;
    return type_replace_alias(types, name, base);
}

const struct type *type_replace_alias(struct types *types, const char *name, const struct type *base) {
    struct type *type = make(types, TYPE_TYPEDEF, base);
    type->name = copy_name(types, name);
    type->size = base->size;
    type->align = base->align;
    enter(types, SPACE_TYPE, type->name, type);
    return type;
}

const struct type *type_define_enum(struct types *types, const char *tag) {
    const struct entry *entry = tag ? find(types, SPACE_ENUM, tag) : NULL;
    if (entry && entry->type->kind != TYPE_FORWARD)
        return NULL;
    struct type *type = entry ? entry->type : make(types, TYPE_ENUM, NULL);
    type->kind = TYPE_ENUM;
    type->size = sizeof(int);
    type->align = _Alignof(int);
    type->is_signed = true;
    type->name = memory_print(types->memory, "enum %s", tag ? tag : "(anon)");
    if (tag && !entry)
        enter(types, SPACE_ENUM, copy_name(types, tag), type);
    return type;
}

/* The array of enumerators doubles whenever its length is a power of two. */
const struct type_enumerator *type_define_enumerator(struct types *types, const struct type *type,
                                                     const char *name, int64_t value) {
    if (find(types, SPACE_ENUMERATOR, name))
        return NULL;
    struct type *made = (struct type *)type; /* by type_define_enum */
    struct type_enumerator *enumerators = (struct type_enumerator *)made->enumerators;
    if ((made->count & (made->count - 1)) == 0) {
        size_t room = made->count ? 2 * made->count : 1;
        enumerators = memory_allocate(types->memory, room * sizeof *enumerators);
        if (made->count)
            memcpy(enumerators, made->enumerators, made->count * sizeof *enumerators);
        made->enumerators = enumerators;
    }
    struct entry *entry = enter(types, SPACE_ENUMERATOR, copy_name(types, name), made);
    entry->value = value;
    enumerators[made->count] = (struct type_enumerator){entry->name, value};
    return &enumerators[made->count++];
}

const struct type *type_declare_tag(struct types *types, enum type_kind kind, const char *tag) {
    const struct entry *entry = tag ? find(types, space_of(kind), tag) : NULL;
    if (entry)
        return entry->type;
    struct type *type = make(types, TYPE_FORWARD, NULL);
    type->name = memory_print(types->memory, "%s %s",
                              kind == TYPE_STRUCT  ? "struct"
                              : kind == TYPE_UNION ? "union"
                                                   : "enum",
                              tag ? tag : "(anon)");
    if (tag)
        enter(types, space_of(kind), copy_name(types, tag), type);
    return type;
}

/* Where the next member goes. */
struct layout {
    uint64_t end;  /* bits, behind the last member */
    uint64_t size; /* bytes: of the widest member of a union, of all of a struct */
    size_t align;  /* bytes; 0: nothing placed yet */
};

static uint64_t round_up(uint64_t value, uint64_t unit) {
    return (value + unit - 1) / unit * unit;
}

/* The bytes that a bit-field of so many bits is kept in: a power of two. */
static size_t unit_of(unsigned bits) {
    size_t unit = bits > 0;
    while (8 * unit < bits)
        unit *= 2;
    return unit;
}

/* As DTrace does it, not as C compilers do: each bit-field has bytes of its own, of no more than it needs,
   and a struct within another is aligned as its first member. */
static void place(struct layout *layout, struct type_member *member, bool is_bit_field, bool is_union) {
    size_t size = member->type->size, align = member->type->align;
    if (is_bit_field)
        size = align = member->unit = unit_of(member->bits);
    if (align == 0)
        align = 1;
    uint64_t offset = is_union ? 0 : round_up(round_up(layout->end, 8) / 8, align);
    member->offset = offset;
    layout->end = 8 * offset + (is_bit_field ? member->bits : 8 * (uint64_t)size);
    if (offset + size > layout->size)
        layout->size = offset + size;
    if (is_union ? align > layout->align : layout->align == 0)
        layout->align = align;
}

const struct type *type_complete(struct types *types, const struct type *forward, enum type_kind kind,
                                 const struct type_member *members, size_t count) {
    if (forward->kind != TYPE_FORWARD)
        return NULL;
    struct type *type = (struct type *)forward; /* made by type_declare_tag */
    struct type_member *copies = memory_allocate(types->memory, (count + 1) * sizeof *copies);
    struct layout layout = {0, 0, 0};
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        struct type_member member = members[i];
        bool is_bit_field = member.bits > 0 || !member.name;
        place(&layout, &member, is_bit_field, kind == TYPE_UNION);
        if (!member.name)
            continue; /* padding */
        member.name = copy_name(types, member.name);
        copies[kept++] = member;
    }
    type->kind = kind;
    type->members = copies;
    type->count = kept;
    type->align = layout.align ? layout.align : 1;
    type->size = layout.size; /* nothing behind the last member, as in DTrace */
    return type;
}

bool type_enumerator_value(struct types *types, const char *name, int64_t *value, const struct type **type) {
    const struct entry *entry = find(types, SPACE_ENUMERATOR, name);
    if (!entry)
        return false;
    *value = entry->value;
    if (type)
        *type = entry->type;
    return true;
}

void type_define_constant(struct types *types, const char *name, int64_t value) {
    if (!find(types, SPACE_CONSTANT, name))
        enter(types, SPACE_CONSTANT, copy_name(types, name), NULL)->value = value;
}

bool type_constant_value(struct types *types, const char *name, int64_t *value) {
    const struct entry *entry = find(types, SPACE_CONSTANT, name);
    if (entry)
        *value = entry->value;
    return entry != NULL;
}

const struct type_member *type_member_named(const struct type *type, const char *name) {
    type = type_resolve(type);
    if (type->kind != TYPE_STRUCT && type->kind != TYPE_UNION)
        return NULL;
    for (size_t i = 0; i < type->count; i++)
        if (strcmp(type->members[i].name, name) == 0)
            return &type->members[i];
    return NULL;
}

/* A qualified forward type leads to the plain one, which may have been completed since. */
const struct type *type_resolve(const struct type *type) {
    while (type->kind == TYPE_TYPEDEF ||
           ((type->kind == TYPE_FORWARD || type->kind == TYPE_STRING) && type->base))
        type = type->base;
    return type;
}

bool type_same(const struct type *one, const struct type *other) {
    for (;;) {
        one = type_resolve(one);
        other = type_resolve(other);
        if (one == other)
            return true;
        if (one->kind != other->kind || one->size != other->size)
            return false;
        switch (one->kind) {
        case TYPE_INTEGER:
            return one->is_signed == other->is_signed;
        case TYPE_STRUCT:
        case TYPE_UNION:
        case TYPE_ENUM: /* a qualified copy shares what it holds */
            return one->members == other->members && one->enumerators == other->enumerators;
        case TYPE_FORWARD:
            return strcmp(one->name, other->name) == 0;
        case TYPE_ARRAY:
            if (one->count != other->count)
                return false;
            break;
        case TYPE_POINTER:
        case TYPE_FUNCTION:
            break;
        default:
            return true;
        }
        one = one->base;
        other = other->base;
    }
}

bool type_is_integer(const struct type *type) {
    enum type_kind kind = type_resolve(type)->kind;
    return kind == TYPE_INTEGER || kind == TYPE_ENUM;
}

bool type_is_scalar(const struct type *type) {
    enum type_kind kind = type_resolve(type)->kind;
    return kind == TYPE_INTEGER || kind == TYPE_ENUM || kind == TYPE_POINTER;
}

bool type_is_pointer(const struct type *type) {
    enum type_kind kind = type_resolve(type)->kind;
    return kind == TYPE_POINTER || kind == TYPE_ARRAY;
}

bool type_is_string(const struct type *type) {
    return type_resolve(type)->kind == TYPE_STRING;
}

bool type_is_text(const struct type *type) {
    type = type_resolve(type);
    if (type->kind == TYPE_STRING)
        return true;
    if (type->kind != TYPE_POINTER && type->kind != TYPE_ARRAY)
        return false;
    const struct type *base = type_resolve(type->base);
    return base->kind == TYPE_INTEGER && base->is_char;
}

bool type_is_by_address(const struct type *type) {
    enum type_kind kind = type_resolve(type)->kind;
    return kind == TYPE_STRUCT || kind == TYPE_UNION || kind == TYPE_ARRAY;
}

/* A declarator is written from the inside out: what stands left of the name, and what stands right of it. */
struct declarator {
    char left[256], right[256];
};

static void put_left(struct declarator *declarator, const char *text) {
    size_t length = strlen(text);
    memmove(declarator->left + length, declarator->left, sizeof declarator->left - length);
    memcpy(declarator->left, text, length);
    declarator->left[sizeof declarator->left - 1] = '\0';
}

static void put_right(struct declarator *declarator, const char *text) {
    size_t length = strlen(declarator->right);
    snprintf(declarator->right + length, sizeof declarator->right - length, "%s", text);
}

static const char *qualifiers(const struct type *type) {
    return type->is_const && type->is_volatile ? "const volatile "
           : type->is_const                    ? "const "
           : type->is_volatile                 ? "volatile "
                                               : "";
}

const char *type_print(const struct type *type, char *text, size_t n) {
    struct declarator declarator = {"", ""};
    bool after_star = false;
    for (; !type->name && type->base; type = type->base) {
        char part[64];
        if (type->kind == TYPE_POINTER) {
            snprintf(part, sizeof part, "*%s%s", qualifiers(type), type->is_restrict ? "restrict " : "");
            size_t length = strlen(part);
            if (part[length - 1] == ' ' && !declarator.left[0])
                part[length - 1] = '\0';
            put_left(&declarator, part);
            after_star = true;
            continue;
        }
        if (after_star) { /* a pointer to an array or a function */
            put_left(&declarator, "(");
            put_right(&declarator, ")");
            after_star = false;
        }
        if (type->kind == TYPE_ARRAY && type->count > 0)
            snprintf(part, sizeof part, "[%zu]", type->count);
        else
            snprintf(part, sizeof part, "%s", type->kind == TYPE_ARRAY ? "[]" : "()");
        put_right(&declarator, part);
    }
    bool bare = !declarator.left[0] && !declarator.right[0];
    snprintf(text, n, "%s%s%s%s%s", qualifiers(type), type->name ? type->name : "?", bare ? "" : " ",
             declarator.left, declarator.right);
    return text;
}
