/*
 * program.h: a D program in the form in which it travels: made by dlang, verified and run by the engine in
 * each traced process, and read by the consumer, which finds in it how to print what the engine recorded.
 *
 * A program is one block of memory without pointers: a header, then sections, each an array. A "string" below
 * is an offset into the section of strings; offset 0 is the empty string, every string ends with '\0'. All
 * numbers are in the machine's own byte order, since both sides run on one machine. A program that comes from
 * outside is nothing but bytes until program_check has accepted it.
 *
 *      program_header
 *      strings        char[]
 *      integers       int64_t[]               constants that do not fit into an instruction
 *      instructions   program_instruction[]
 *      variables      program_variable[]
 *      kinds          uint8_t[]               enum value_kind: the keys of variables and aggregations
 *      aggregations   program_aggregation[]
 *      fields         program_field[]         what a record holds, action by action
 *      actions        program_action[]
 *      clauses        program_clause[]        in the order of the text
 *      enablings      program_enabling[]      a clause for one of its probe descriptions; in order; at a
 * probe those that match run in this order
 */
#ifndef PROGRAM_H
#define PROGRAM_H

#include "tables.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    PROGRAM_VERSION = 1,         /* of this format and of the arena's: engine and consumer must agree */
    PROGRAM_REGISTERS = 64,      /* of the engine */
    PROGRAM_KEYS_MAX = 32,       /* keys of an array or an aggregation */
    PROGRAM_SIZE_MAX = 16 << 20, /* bytes of a program */
    PROGRAM_STRSIZE_MAX = 64 << 10,
    PROGRAM_STACK_MAX = 64 << 10,   /* bytes of a Python stack as text */
    PROGRAM_BYTES_MAX = 64 << 10,   /* bytes of a struct, union or array, of a COPY, of a FIELD_BYTES */
    PROGRAM_BUCKETS_MAX = 64 << 10, /* of an aggregation */
};

struct program_section {
    uint32_t offset; /* bytes from the start of the header; a multiple of 8 */
    uint32_t count;  /* entries (bytes, of strings and kinds) */
};

enum program_section_id {
    SECTION_STRINGS,
    SECTION_INTEGERS,
    SECTION_INSTRUCTIONS,
    SECTION_VARIABLES,
    SECTION_KINDS,
    SECTION_AGGREGATIONS,
    SECTION_FIELDS,
    SECTION_ACTIONS,
    SECTION_CLAUSES,
    SECTION_ENABLINGS,
    SECTION_COUNT
};

struct program_header {
    char magic[4];                                  /* "catD" */
    uint32_t version;                               /* PROGRAM_VERSION */
    uint32_t size;                                  /* bytes of the whole */
    uint32_t flags;                                 /* enum program_flags */
    int64_t options[OPTION_COUNT];                  /* by enum option (tables.h); OPTION_UNSET if never set */
    struct program_section sections[SECTION_COUNT]; /* by enum program_section_id */
};

enum program_flags {
    PROGRAM_DESTRUCTIVE = 1 << 0, /* has an action that needs -w */
    PROGRAM_WANTS_CPU = 1 << 1,   /* records carry the processor, for the default output */
};

/* What a register holds. A string is a value of its own, never an address that a program could compute. */
enum value_kind {
    VALUE_NONE,    /* nothing yet, or one thing or another */
    VALUE_INTEGER, /* 64 bits; also a pointer. Narrower types are extended as their sign says */
    VALUE_STRING,  /* at most strsize bytes; a constant and what is recorded, strsize - 1, as DTrace has it */
};

/*
 * An instruction is 8 bytes:
 *
 *       0      1       2       3       4                7
 *      +------+-------+-------+-------+------------------+
 *      |  op  |  dst  |   a   |   b   |  immediate, i32  |
 *      +------+-------+-------+-------+------------------+
 *
 * dst, a, b are registers. A jump's immediate counts instructions from the next one and is never negative, so
 * that every program ends. The opcodes are in tables.h.
 */
struct program_instruction {
    uint8_t op;        /* enum opcode */
    uint8_t dst;       /* the register written, or a third operand */
    uint8_t a;         /* operand; the first of the consecutive registers of a call or a key */
    uint8_t b;         /* operand; or how many registers */
    int32_t immediate; /* as the opcode says */
};

enum variable_scope { SCOPE_GLOBAL, SCOPE_THREAD, SCOPE_CLAUSE };

/* A variable that the program declares or first assigns. */
struct program_variable {
    uint32_t name; /* string */
    uint8_t scope; /* enum variable_scope: x, self->x, this->x */
    uint8_t kind;  /* enum value_kind of its value; VALUE_INTEGER for one of `size` bytes at an address */
    uint8_t by_address; /* a struct, union or array: OP_ADDRESS gives where its bytes are */
    uint8_t keys;       /* how many keys; 0 for a scalar */
    uint32_t first_key; /* their kinds, in the section of kinds */
    uint32_t size;      /* bytes of its value when by_address; else 8, or strsize for a string */
};

/* An aggregation, or the unnamed one (name "_"). Its id is its index. */
struct program_aggregation {
    uint32_t name;    /* string, without '@' */
    uint8_t function; /* enum aggregating_function */
    uint8_t keys;     /* how many */
    uint16_t reserved;
    uint32_t first_key;    /* enum value_kind of each key, in the section of kinds */
    uint32_t first_field;  /* struct program_field of each key, for printing */
    int64_t parameters[4]; /* lquantize: base, limit, step; llquantize: factor, low, high, steps */
};

/* One value in a record, or one key of an aggregation: how it was encoded and how to print it by default.
   Encoding, each field at a multiple of 8 bytes from the record's start:
       FIELD_INTEGER         int64_t, extended as the type says
       all others            uint32_t length, then so many bytes, then '\0', padded to 8; a text's length
                             ends at its first '\0' */
struct program_field {
    uint8_t kind;      /* enum field_kind */
    uint8_t is_signed; /* FIELD_INTEGER */
    uint16_t flags;    /* enum field_flags */
    uint32_t size;     /* bytes of the D type: 1, 2, 4, 8; strsize; the size of a struct; frames of a stack */
    uint32_t type;     /* string: the D type's name, for print() and json */
};

enum field_kind {
    FIELD_INTEGER,
    FIELD_STRING,
    FIELD_STACK, /* a Python stack: frames "function (file:line)", each but the last followed by '\n' */
    FIELD_BYTES, /* raw memory: tracemem, struct, array */
};

enum field_flags {
    FIELD_IS_ADDRESS = 1 << 0, /* FIELD_INTEGER: of code, what sym(), usym() and kin give */
};

/* One data-recording action of a clause, in order. A record of the clause holds the fields of all of them. */
struct program_action {
    uint8_t kind;         /* enum action (tables.h) */
    uint8_t aggregations; /* how many the action names: printa, clear, trunc, normalize */
    uint16_t fields;      /* how many */
    uint32_t first_field;
    uint32_t format;   /* string: of printf, printa, system, freopen; "" for none (printa's default) */
    uint32_t argument; /* by kind: for aggregations > 0 the first of their ids in the section of integers */
};

enum clause_flags {
    CLAUSE_RECORDS = 1 << 0, /* commits a record, even an empty one: any clause with a data-recording action
                                or none at all; those that only compute, aggregate, or speculate do not */
    CLAUSE_NAMES_PROBE =
        1 << 1, /* its record begins with two texts, probefunc and probemod, for the default output */
    CLAUSE_SPECULATIVE = 1 << 2, /* calls speculate() */
};

/* A clause. Its code is three entry points into the instructions; each ends with OP_END, or with OP_SKIP
   where the predicate is false. `decide` leaves in register 0 whether the clause can run for a code object at
   all; it reads constants and what is the same at each firing of one probe for one code object: arg0-9 as far
   as the probe says so, probeprov, probemod, probefunc, probename, id, pid, execname. The engine runs it once
   for each. When it fails (a bad address, an argument that changes), `full` runs at each firing instead.
   `full` is the whole clause; `decided` is the clause without the part of the predicate that `decide` knows.
 */
struct program_clause {
    uint32_t decide;       /* index of an instruction; PROGRAM_NO_CODE: nothing to decide */
    uint32_t full;         /* index of an instruction */
    uint32_t decided;      /* index of an instruction; equals `full` when there is nothing to decide */
    uint32_t flags;        /* enum clause_flags */
    uint32_t actions;      /* how many */
    uint32_t first_action; /* index in the section of actions */
    uint32_t line;         /* in the script */
    uint32_t reserved;
};
#define PROGRAM_NO_CODE UINT32_MAX

/* A probe description, its parts as written (globs), macros replaced: "" matches all. Its index is the
   record's `enabling`. */
struct program_enabling {
    uint32_t provider; /* strings */
    uint32_t module;
    uint32_t function;
    uint32_t name;
    uint32_t clause; /* index */
    uint32_t reserved;
};

#define OPTION_UNSET INT64_MIN

/* The entries of a section, borrowed from the program. */
static inline const void *program_entries(const struct program_header *program, enum program_section_id id) {
    return (const char *)program + program->sections[id].offset;
}

static inline uint32_t program_count(const struct program_header *program, enum program_section_id id) {
    return program->sections[id].count;
}

/* A string of a checked program; borrowed from it. */
static inline const char *program_string(const struct program_header *program, uint32_t offset) {
    return (const char *)program_entries(program, SECTION_STRINGS) + offset;
}

/* An option's value, or its default (tables.h). */
int64_t program_option(const struct program_header *program, enum option option);

/* Verify `size` arbitrary bytes: header, sections, every offset and index, every string; then the code:
   opcodes, registers, kinds of operands on every path, jumps forward and inside, calls against the tables'
   signatures. After true, engine and consumer may use it without looking again. False: a line in `problem`.
 */
bool program_check(const void *bytes, size_t size, char *problem, size_t n);

/* How many words of data an entry of this aggregation has; see struct arena_aggregate. */
uint32_t program_aggregation_words(const struct program_aggregation *aggregation);

/* llquantize: its buckets on one side of zero, without the one around zero, with the last for all that is
   beyond; at most PROGRAM_BUCKETS_MAX / 2. 0: parameters that make no sense. */
uint32_t program_llquantize_buckets(const int64_t parameters[4]);

/* Which of them a value falls into: 0 around zero, 1.. upwards, -1.. downwards. */
int32_t program_llquantize_bucket(const int64_t parameters[4], int64_t value);

/* The lowest magnitude in bucket `bucket` (1 and up). */
int64_t program_llquantize_bound(const int64_t parameters[4], uint32_t bucket);

/* Reads a flag's value as -x and setopt() write it: "on", "no", any number, which is as good as none. */
bool program_read_flag(const char *text, int64_t *value);

/* Nanoseconds of a unit of time as options and the names of clocks have it: "ns", "msec", "s", "day"...; 0:
   "hz", so many a second; -1: none of them. */
int64_t program_time_unit(const char *name);

/* Nanoseconds between two firings of "tick-10ms", "profile-97"; 0: no such clock. */
uint64_t program_clock_period(const char *name);

/* Does a name match a part of a probe description: * ? [a-z] [!a-z] \c, and "" matches all. */
bool program_glob(const char *pattern, const char *name);

#endif
