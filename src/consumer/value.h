/*
 * value.h: the values in a record or in the key of an aggregation: decoding them from bytes that nobody has
 * checked, and printing them, by default or by a conversion of a format.
 */
#ifndef CONSUMER_VALUE_H
#define CONSUMER_VALUE_H

#include "program/format.h"
#include "program/program.h"
#include "text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A decoded value; its bytes are borrowed from what it was decoded from. */
struct value {
    uint8_t kind;      /* enum field_kind */
    bool is_signed;    /* an integer */
    bool is_address;   /* an integer that is shown as an address */
    uint32_t size;     /* bytes of the D type; 0: not known */
    const char *type;  /* the D type's name; borrowed from the program */
    int64_t integer;   /* FIELD_INTEGER */
    const char *bytes; /* the others */
    uint32_t length;   /* of bytes; of a text up to its first '\0' */
};

/* Bytes still to be decoded. */
struct cursor {
    const char *at, *end;
};

/* Takes the next value, which is encoded as the field says. False: the bytes do not hold one. */
bool value_take(struct cursor *cursor, const struct program_header *program,
                const struct program_field *field, struct value *value);

/* An integer without the sign extension: as the unsigned type of its size holds it. */
uint64_t value_unsigned(const struct value *value);

/* How values are printed; the options as they are now. */
struct value_style {
    bool quiet;       /* trace() without columns */
    bool raw;         /* rawbytes */
    int stack_indent; /* columns before each frame */
};

/* As trace(), stack(), tracemem() print it. */
void value_trace(struct text *out, const struct value *value, const struct value_style *style);

/* The same as a key of an aggregation in the default layout. */
void value_key(struct text *out, const struct value *value, const struct value_style *style);

/* A table of bytes in hexadecimal, zeros behind `length` until `size`. */
void value_dump(struct text *out, const char *bytes, uint32_t length, uint32_t size);

/* The frames of a stack, each on a line of its own. */
void value_stack(struct text *out, const char *frames, uint32_t length, int indent);

/* By a conversion, whose dynamic width and precision have been filled in. */
void value_convert(struct text *out, const struct format_part *part, const struct value *value);

/* Characters escaped as in a D string. */
void value_escape(struct text *out, const char *bytes, size_t length);

#endif
