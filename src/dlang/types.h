/*
 * types.h: the types of D: C's, on the machine's own LP64 or ILP32, and D's string and inner kinds. Types are
 * made by a types table, which owns them; two types are the same when type_same says so.
 */
#ifndef DLANG_TYPES_H
#define DLANG_TYPES_H

#include "memory.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum type_kind {
    TYPE_VOID,
    TYPE_INTEGER, /* also char, bool */
    TYPE_FLOAT,   /* can be declared, read and recorded; D has no arithmetic on it */
    TYPE_ENUM,
    TYPE_POINTER, /* to `base` */
    TYPE_ARRAY,   /* `count` of `base` */
    TYPE_STRUCT,
    TYPE_UNION,
    TYPE_FORWARD, /* struct or union not yet defined */
    TYPE_FUNCTION,
    TYPE_TYPEDEF,     /* a name for `base` */
    TYPE_STRING,      /* D's own */
    TYPE_STACK,       /* stack(), ustack(), jstack() */
    TYPE_SYMBOL,      /* sym(), usym() and kin */
    TYPE_AGGREGATION, /* of @x and what an aggregating function gives */
    TYPE_DYNAMIC,     /* of args before its probe is known; of what fits everything */
};

struct type_member {
    const char *name;
    const struct type *type;
    size_t offset; /* bytes */
    unsigned bits; /* of a bit-field: its width; 0: none */
    size_t unit;   /* of a bit-field: the bytes at offset whose lowest bits it has */
};

struct type_enumerator {
    const char *name;
    int64_t value;
};

struct type {
    enum type_kind kind;
    const char
        *name; /* as DTrace's messages write it: "int", "struct pt", "string"; NULL when made from base */
    size_t size, align; /* bytes */
    bool is_signed;     /* TYPE_INTEGER, TYPE_ENUM */
    bool is_char;       /* TYPE_INTEGER: a character, also when declared signed or unsigned */
    bool is_const, is_volatile, is_restrict;
    const struct type *base; /* POINTER, ARRAY, TYPEDEF, FUNCTION's result */
    size_t count; /* ARRAY: elements; STRUCT, UNION: members; ENUM: enumerators; FUNCTION: parameters */
    const struct type_member *members;
    const struct type_enumerator *enumerators;
};

struct types; /* the table: named types, tags, enumerators, all types made */

/* A table with the basic types and D's typedefs (int8_t ... uint64_t, size_t, pid_t, uint_t, uintptr_t,
   ipaddr_t, ...). It and all types live in `memory`. `string_size` is strsize. */
struct types *types_new(struct memory *memory, size_t string_size);

/* strsize may be set by a pragma after types have been used: the size of `string` changes for all. */
void types_set_string_size(struct types *types, size_t string_size);

const struct type *type_named(struct types *types,
                              const char *name); /* "unsigned int", "uint8_t"; NULL: none */
const struct type *type_tagged(struct types *types, enum type_kind kind,
                               const char *tag); /* struct, union, enum */
const struct type *type_pointer_to(struct types *types, const struct type *base);
const struct type *type_array_of(struct types *types, const struct type *base, size_t count);
const struct type *type_function_of(struct types *types, const struct type *result); /* parameters: none */
const struct type *type_inner(struct types *types,
                              enum type_kind kind); /* VOID, STRING, STACK, SYMBOL, ... */

/* An integer type by what a constant needs: the first of int, unsigned int, long, unsigned long that holds
   `value`; `decimal` leaves out unsigned ones that no suffix asks for. NULL: none. */
const struct type *type_of_constant(struct types *types, uint64_t value, bool decimal, const char *suffix);

/* A copy of `type` with these qualifiers besides its own; itself when it has them. */
const struct type *type_qualified(struct types *types, const struct type *type, bool is_const,
                                  bool is_volatile, bool is_restrict);

/* What a declaration makes. The members (offsets not yet set) are copied. A tag or name of
   NULL is anonymous. Each returns NULL when the name is taken by another definition of this kind. */
const struct type *type_define_alias(struct types *types, const char *name, const struct type *base);
/* The same, in place of another definition, which stays with those that have it. Never NULL. */
const struct type *type_replace_alias(struct types *types, const char *name, const struct type *base);
/* Is it a typedef that was there before the program, as uint64_t is? */
bool type_is_own_alias(const struct types *types, const char *name);
const struct type *type_define_enum(struct types *types, const char *tag);
/* The next enumerator of an enum that type_define_enum gave; NULL when the name is another one's. */
const struct type_enumerator *type_define_enumerator(struct types *types, const struct type *type,
                                                     const char *name, int64_t value);
/* The struct, union or enum of this tag, or a new forward one; a new anonymous one for NULL. */
const struct type *type_declare_tag(struct types *types, enum type_kind kind, const char *tag);
/* Completes what type_declare_tag gave; NULL when it was complete. Lays the members out as the machine's C
   compiler does. */
const struct type *type_complete(struct types *types, const struct type *forward, enum type_kind kind,
                                 const struct type_member *members, size_t count);

bool type_enumerator_value(struct types *types, const char *name, int64_t *value, const struct type **type);

/* Numbers that declarations may use by name: inlines. The first definition stays. */
void type_define_constant(struct types *types, const char *name, int64_t value);
bool type_constant_value(struct types *types, const char *name, int64_t *value);

const struct type_member *type_member_named(const struct type *type, const char *name); /* through typedefs */

/* Through typedefs to what it is: never TYPE_TYPEDEF. */
const struct type *type_resolve(const struct type *type);
bool type_same(const struct type *one, const struct type *other);
bool type_is_integer(const struct type *type);    /* also enum */
bool type_is_scalar(const struct type *type);     /* integer, enum, pointer */
bool type_is_pointer(const struct type *type);    /* also array */
bool type_is_string(const struct type *type);     /* string alone */
bool type_is_text(const struct type *type);       /* string, char *, char[], of either sign */
bool type_is_by_address(const struct type *type); /* struct, union, array */

/* As DTrace's messages write it: "char *", "int [5]", "struct pt". Returns `text`. */
const char *type_print(const struct type *type, char *text, size_t n);

#endif
