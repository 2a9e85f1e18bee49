/*
 * print.c: print()'s way to show a value. The columns are DTrace's; parts that are all zero are left out, as
 * there.
 */
#include "print.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COLUMN = 44, DEEPEST = 64 };

/* A line of a layout; texts are borrowed from it. */
struct part {
    uint32_t depth, offset, size;
    char kind;
    const char *member, *type;
    size_t member_length, type_length;
};

/* Reads the line at *at and goes on to the next. */
static bool read_part(const char **at, struct part *part) {
    const char *line = *at, *end = strchr(line, '\n');
    char *rest;
    if (!end)
        return false;
    part->depth = (uint32_t)strtoul(line, &rest, 10);
    part->offset = *rest == ',' ? (uint32_t)strtoul(rest + 1, &rest, 10) : 0;
    part->size = *rest == ',' ? (uint32_t)strtoul(rest + 1, &rest, 10) : 0;
    if (*rest != ',' || rest[1] == '\0' || rest[2] != ',')
        return false;
    part->kind = rest[1];
    part->member = rest + 3;
    const char *comma = memchr(part->member, ',', (size_t)(end - part->member));
    if (!comma)
        return false;
    part->member_length = (size_t)(comma - part->member);
    part->type = comma + 1;
    part->type_length = (size_t)(end - part->type);
    *at = end + 1;
    return true;
}

static bool all_zero(const char *bytes, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (bytes[i])
            return false;
    return true;
}

static uint64_t load(const char *bytes, uint32_t size) {
    uint64_t whole = 0;
    uint8_t one;
    uint16_t two;
    uint32_t four;
    switch (size) {
    case 1:
        memcpy(&one, bytes, sizeof one);
        return one;
    case 2:
        memcpy(&two, bytes, sizeof two);
        return two;
    case 4:
        memcpy(&four, bytes, sizeof four);
        return four;
    case 8:
        memcpy(&whole, bytes, sizeof whole);
        return whole;
    default:
        return 0;
    }
}

static int64_t extend(uint64_t number, uint32_t bits) {
    return bits == 0 || bits >= 64 ? (int64_t)number : (int64_t)(number << (64 - bits)) >> (64 - bits);
}

static void put_type(struct text *out, uint32_t depth, const struct part *part) {
    text_repeat(out, ' ', COLUMN + depth);
    if (part->member_length) {
        text_char(out, '.');
        text_bytes(out, part->member, part->member_length);
        text_string(out, " = ");
    }
    text_char(out, '(');
    text_bytes(out, part->type, part->type_length);
    text_char(out, ')');
}

static void put_number(struct text *out, char kind, uint64_t number, uint32_t bits) {
    if (kind == 'c') {
        text_char(out, '\'');
        text_char(out, (char)number);
        text_char(out, '\'');
    } else if (kind == 'p') {
        text_format(out, "0x%llx", (unsigned long long)number);
    } else if (kind == 'i' || kind == 'b') {
        text_signed(out, extend(number, bits), 0);
    } else {
        text_unsigned(out, number, 0);
    }
    text_string(out, ",\n");
}

/* A bit-field; `bytes` is what is around it. */
static void put_bits(struct text *out, uint32_t depth, const struct part *part, const char *bytes, size_t n) {
    uint64_t number = 0;
    if (part->size == 0 || part->size > 64 || (uint64_t)part->offset + part->size > 8 * (uint64_t)n)
        return;
    for (uint32_t i = 0; i < part->size; i++) {
        uint32_t bit = part->offset + i;
        number |= (uint64_t)((unsigned char)bytes[bit / 8] >> bit % 8 & 1) << i;
    }
    if (number == 0)
        return;
    put_type(out, depth, part);
    put_number(out, part->kind, number, part->size);
}

static void put_part(struct text *out, uint32_t depth, const struct part *part, const char *inside,
                     const char *bytes, size_t n);

/* The parts one deeper than `part`, whose lines are at `inside`. */
static void put_members(struct text *out, uint32_t depth, const struct part *part, const char *inside,
                        const char *bytes) {
    struct part member;
    while (read_part(&inside, &member) && member.depth > part->depth)
        if (member.depth == part->depth + 1)
            put_part(out, depth, &member, inside, bytes, part->size);
}

static void put_elements(struct text *out, uint32_t depth, const struct part *part, const char *inside,
                         const char *bytes) {
    struct part element;
    if (!read_part(&inside, &element) || element.size == 0)
        return;
    for (uint32_t at = 0; at + element.size <= part->size; at += element.size)
        put_part(out, depth, &element, inside, bytes + at, element.size);
}

/* A part of what is at `bytes`, n of them; nothing if it is zero, but for the whole. */
static void put_part(struct text *out, uint32_t depth, const struct part *part, const char *inside,
                     const char *bytes, size_t n) {
    if (part->kind == 'b' || part->kind == 'B') {
        put_bits(out, depth, part, bytes, n);
        return;
    }
    if (depth > DEEPEST || part->offset > n || part->size > n - part->offset)
        return;
    bytes += part->offset;
    if (depth > 0 && (part->kind == 'f' || all_zero(bytes, part->size))) /* DTrace shows no float */
        return;
    put_type(out, depth, part);
    if (part->kind == 's' || part->kind == 'a') {
        bool is_struct = part->kind == 's';
        text_string(out, is_struct ? " {\n" : " [\n");
        (is_struct ? put_members : put_elements)(out, depth + 1, part, inside, bytes);
        text_repeat(out, ' ', COLUMN + depth);
        text_string(out, is_struct ? depth ? "},\n" : "}\n" : "],\n");
    } else {
        put_number(out, part->kind, load(bytes, part->size), 8 * part->size);
    }
}

void print_value(struct text *out, uint64_t address, const struct value *value) {
    const char *layout = strchr(value->type, '\n');
    size_t name = layout ? (size_t)(layout - value->type) : strlen(value->type);
    struct part whole = {.type = value->type, .type_length = name, .size = value->size};
    text_format(out, "0x%llx = *\n", (unsigned long long)address);
    if (value->kind == FIELD_INTEGER) {
        char kind = value->is_signed ? 'i' : 'u';
        if (name == 4 && memcmp(value->type, "char", 4) == 0)
            kind = 'c';
        else if (name > 0 && value->type[name - 1] == '*')
            kind = 'p';
        put_type(out, 0, &whole);
        put_number(out, kind, value_unsigned(value), 8 * value->size);
    } else if (value->kind == FIELD_BYTES && layout++ && read_part(&layout, &whole)) {
        put_part(out, 0, &whole, layout, value->bytes, value->length);
    } else if (value->kind == FIELD_STRING) { /* an array of char to DTrace */
        char type[32];
        snprintf(type, sizeof type, "char [%u]", value->size);
        whole = (struct part){.kind = 'a', .type = type, .type_length = strlen(type), .size = value->length};
        put_part(out, 0, &whole, "1,0,1,c,,char\n", value->bytes, value->length);
    } else {
        put_type(out, 0, &whole);
        value_dump(out, value->bytes, value->length, value->length);
    }
}
