/*
 * value.c: decoding and printing the values of records and keys. Column widths, the rule when bytes are shown
 * as text, and the corners of the conversions are DTrace's.
 */
#ifndef _GNU_SOURCE
#    define _GNU_SOURCE
#endif
#include "value.h"

#include <ctype.h>
#include <time.h>

enum {
    TEXT_COLUMN = 33,    /* of a string that trace() prints */
    KEY_COLUMN = 50,     /* of a string that is a key */
    DUMP_LINE = 16,      /* bytes in a line of a dump */
    NUMBER_SIZE = 24,    /* a sign and the most digits of a number of 64 bits */
    WIDTH_MAX = 1 << 20, /* of a conversion, whatever a program asks for */
};

bool value_take(struct cursor *cursor, const struct program_header *program,
                const struct program_field *field, struct value *value) {
    size_t left = (size_t)(cursor->end - cursor->at);
    *value = (struct value){.kind = field->kind,
                            .is_signed = field->is_signed,
                            .is_address = (field->flags & FIELD_IS_ADDRESS) != 0,
                            .size = field->size,
                            .type = program_string(program, field->type)};
    if (field->kind == FIELD_INTEGER) {
        if (left < sizeof value->integer)
            return false;
        memcpy(&value->integer, cursor->at, sizeof value->integer);
        cursor->at += sizeof value->integer;
        return true;
    }
    uint32_t length;
    if (left < sizeof length)
        return false;
    memcpy(&length, cursor->at, sizeof length);
    size_t size = ((size_t)length + sizeof length + 1 + 7) & ~(size_t)7;
    if (left < size)
        return false;
    value->bytes = cursor->at + sizeof length;
    value->length = length;
    if (field->kind != FIELD_BYTES)
        value->length = (uint32_t)strnlen(value->bytes, length);
    cursor->at += size;
    return true;
}

uint64_t value_unsigned(const struct value *value) {
    switch (value->size) {
    case 1:
        return (uint8_t)value->integer;
    case 2:
        return (uint16_t)value->integer;
    case 4:
        return (uint32_t)value->integer;
    default:
        return (uint64_t)value->integer;
    }
}

/* The length of the UTF-8 sequence of more than one byte at `bytes`; 0: it is none. */
static size_t utf8_length(const char *bytes, size_t left) {
    const unsigned char *byte = (const unsigned char *)bytes;
    size_t length = *byte >= 0xf0 && *byte < 0xf5 ? 4 : *byte >= 0xe0 ? 3 : 2;
    if (*byte < 0xc2 || *byte >= 0xf5 || length > left)
        return 0;
    for (size_t i = 1; i < length; i++)
        if ((byte[i] & 0xc0) != 0x80)
            return 0;
    bool overlong = (byte[0] == 0xe0 && byte[1] < 0xa0) || (byte[0] == 0xf0 && byte[1] < 0x90);
    bool surrogate = byte[0] == 0xed && byte[1] >= 0xa0;
    bool beyond = byte[0] == 0xf4 && byte[1] >= 0x90;
    return overlong || surrogate || beyond ? 0 : length;
}

/* Is it text to look at? DTrace takes printable characters, white space, '\b' and '\a'; here UTF-8 counts as
   well, since names in Python programs may be written in any script. */
static bool is_text(const char *bytes, size_t length) {
    for (size_t i = 0; i < length;) {
        unsigned char c = (unsigned char)bytes[i];
        size_t step = c < 0x80 ? (isprint(c) || isspace(c) || c == '\b' || c == '\a')
                               : utf8_length(bytes + i, length - i);
        if (step == 0)
            return false;
        i += step;
    }
    return true;
}

void value_dump(struct text *out, const char *bytes, uint32_t length, uint32_t size) {
    if (size == 0)
        return;
    text_string(out, "\n             0  1  2  3  4  5  6  7  8  9  a  b  c  d  e  f  0123456789abcdef\n");
    for (uint32_t line = 0; line < size; line += DUMP_LINE) {
        uint32_t in_line = size - line < DUMP_LINE ? size - line : DUMP_LINE;
        unsigned char shown[DUMP_LINE];
        text_format(out, "%10x:", line);
        for (uint32_t i = 0; i < in_line; i++) {
            shown[i] = line + i < length ? (unsigned char)bytes[line + i] : 0;
            text_char(out, ' ');
            text_char(out, "0123456789abcdef"[shown[i] >> 4]);
            text_char(out, "0123456789abcdef"[shown[i] & 15]);
        }
        text_repeat(out, ' ', 3 * (DUMP_LINE - in_line) + 2);
        for (uint32_t i = 0; i < in_line; i++)
            text_char(out, (char)(shown[i] < 0x80 && isprint(shown[i]) ? shown[i] : '.'));
        text_char(out, '\n');
    }
}

void value_stack(struct text *out, const char *frames, uint32_t length, int indent) {
    text_char(out, '\n');
    while (length > 0) {
        const char *newline = memchr(frames, '\n', length);
        uint32_t frame = newline ? (uint32_t)(newline - frames) : length;
        text_repeat(out, ' ', indent > 0 ? (size_t)indent : 0);
        text_bytes(out, frames, frame);
        text_char(out, '\n');
        frame += newline != NULL;
        frames += frame;
        length -= frame;
    }
}

/* What is neither a number nor a stack. */
static void print_bytes(struct text *out, const struct value *value, const struct value_style *style,
                        size_t column) {
    uint32_t length = value->length;
    if (value->kind == FIELD_BYTES) /* a text in an array ends where only zeros follow */
        while (length > 1 && value->bytes[length - 1] == '\0')
            length--;
    if (style->raw || !is_text(value->bytes, length))
        value_dump(out, value->bytes, value->length,
                   value->size > value->length ? value->size : value->length);
    else if (style->quiet && column != KEY_COLUMN)
        text_bytes(out, value->bytes, length);
    else {
        text_bytes(out, "  ", 2);
        text_padded(out, value->bytes, length, column, true);
    }
}

static void dump_integer(struct text *out, const struct value *value) {
    char bytes[sizeof value->integer];
    memcpy(bytes, &value->integer, sizeof bytes); /* the low bytes come first, or the size is 8 */
    uint32_t size = value->size && value->size < sizeof bytes ? value->size : sizeof bytes;
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    memmove(bytes, bytes + sizeof bytes - size, size);
#endif
    value_dump(out, bytes, size, size);
}

static void trace_integer(struct text *out, const struct value *value, const struct value_style *style) {
    size_t width = value->size == 1   ? 3
                   : value->size == 2 ? 5
                   : value->size == 4 ? 10
                   : value->is_signed ? 19
                                      : 20;
    if (style->raw) {
        dump_integer(out, value);
        return;
    }
    if (!style->quiet)
        text_char(out, ' ');
    if (value->is_signed)
        text_signed(out, value->integer, style->quiet ? 0 : width);
    else
        text_unsigned(out, value_unsigned(value), style->quiet ? 0 : width);
}

static void print_address(struct text *out, const struct value *value) {
    char number[NUMBER_SIZE], *end = number + sizeof number;
    char *start = text_hex(end, value_unsigned(value), false);
    *--start = 'x';
    *--start = '0';
    text_bytes(out, "  ", 2);
    text_padded(out, start, (size_t)(end - start), KEY_COLUMN, true);
}

void value_trace(struct text *out, const struct value *value, const struct value_style *style) {
    if (value->kind == FIELD_INTEGER && value->is_address)
        print_address(out, value);
    else if (value->kind == FIELD_INTEGER)
        trace_integer(out, value, style);
    else if (value->kind == FIELD_STACK)
        value_stack(out, value->bytes, value->length, style->stack_indent);
    else
        print_bytes(out, value, style, TEXT_COLUMN);
}

/* Narrow integers are shown without their sign, but for int, as DTrace does. */
static void key_integer(struct text *out, const struct value *value) {
    text_char(out, ' ');
    switch (value->size) {
    case 1:
        text_unsigned(out, (uint8_t)value->integer, 3);
        break;
    case 2:
        text_unsigned(out, (uint16_t)value->integer, 5);
        break;
    case 4:
        text_signed(out, (int32_t)value->integer, 8);
        break;
    default:
        text_signed(out, value->integer, 16);
    }
}

void value_key(struct text *out, const struct value *value, const struct value_style *style) {
    if (value->kind == FIELD_INTEGER && value->is_address)
        print_address(out, value);
    else if (value->kind == FIELD_INTEGER)
        key_integer(out, value);
    else if (value->kind == FIELD_STACK)
        value_stack(out, value->bytes, value->length, style->stack_indent);
    else
        print_bytes(out, value, style, KEY_COLUMN);
}

void value_escape(struct text *out, const char *bytes, size_t length) {
    static const char letters[] = "abtnvfr"; /* of '\a' to '\r' */
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)bytes[i];
        if (c == '"' || c == '\\') {
            text_char(out, '\\');
            text_char(out, (char)c);
        } else if (c >= '\a' && c <= '\r') {
            text_char(out, '\\');
            text_char(out, letters[c - '\a']);
        } else if (c == '\0') {
            text_bytes(out, "\\0", 2);
        } else if (c < 0x80 && isprint(c)) {
            text_char(out, (char)c);
        } else {
            text_format(out, "\\%03o", c);
        }
    }
}

/* A conversion at work. */
struct conversion_state {
    struct text *out;
    const struct format_part *part;
    const struct value *value;
    size_t width;
    size_t precision; /* 0: none; DTrace takes 0 for none, too */
    bool left;
};

/* `negative`: '-' comes before the digits; else what the flags want. */
static void put_number(const struct conversion_state *state, char *start, const char *end, const char *prefix,
                       bool negative, bool is_signed) {
    const struct format_part *part = state->part;
    size_t digits = (size_t)(end - start);
    char sign = '\0';
    if (negative)
        sign = '-';
    else if (is_signed && part->plus)
        sign = '+';
    else if (is_signed && part->space)
        sign = ' ';
    size_t zeros = state->precision > digits ? state->precision - digits : 0;
    size_t prefix_length = strlen(prefix), taken = digits + zeros + prefix_length + (sign != '\0');
    size_t padding = state->width > taken ? state->width - taken : 0;

    if (part->zero && !state->left && state->precision == 0) {
        zeros += padding;
        padding = 0;
    }
    if (!state->left)
        text_repeat(state->out, ' ', padding);
    if (sign)
        text_char(state->out, sign);
    text_bytes(state->out, prefix, prefix_length);
    text_repeat(state->out, '0', zeros);
    text_bytes(state->out, start, digits);
    if (state->left)
        text_repeat(state->out, ' ', padding);
}

static void put_string(const struct conversion_state *state, const char *bytes, size_t length) {
    if (state->precision && length > state->precision)
        length = state->precision;
    text_padded(state->out, bytes, length, state->width, state->left);
}

static void convert_decimal(const struct conversion_state *state) {
    const struct value *value = state->value;
    if (!state->width && !state->precision && !state->part->plus && !state->part->space) {
        if (value->is_signed)
            text_signed(state->out, value->integer, 0);
        else
            text_unsigned(state->out, value_unsigned(value), 0);
        return;
    }
    char number[NUMBER_SIZE], *end = number + sizeof number;
    bool negative = value->is_signed && value->integer < 0;
    uint64_t magnitude = negative ? 0 - (uint64_t)value->integer : value_unsigned(value);
    put_number(state, text_decimal(end, magnitude), end, "", negative, value->is_signed);
}

static void convert_unsigned(const struct conversion_state *state) {
    char number[NUMBER_SIZE], *end = number + sizeof number;
    put_number(state, text_decimal(end, value_unsigned(state->value)), end, "", false, false);
}

static void convert_octal(const struct conversion_state *state) {
    char number[NUMBER_SIZE], *end = number + sizeof number;
    uint64_t value = value_unsigned(state->value);
    char *start = text_octal(end, value);
    if (state->part->alternate && *start != '0')
        *--start = '0';
    put_number(state, start, end, "", false, false);
}

static void convert_hex(const struct conversion_state *state) {
    char number[NUMBER_SIZE], *end = number + sizeof number;
    uint64_t value = value_unsigned(state->value);
    bool upper = state->part->conversion->class == CONVERSION_HEX_UPPER;
    bool prefixed = state->part->alternate && value != 0;
    put_number(state, text_hex(end, value, upper), end, !prefixed ? "" : upper ? "0X" : "0x", false, false);
}

static void convert_character(const struct conversion_state *state) {
    char c = (char)state->value->integer;
    text_padded(state->out, &c, 1, state->width, state->left);
}

static void convert_wide_character(const struct conversion_state *state) {
    struct text text = {0};
    text_utf8(&text, (uint32_t)state->value->integer);
    text_padded(state->out, text.data, text.length, state->width, state->left);
    text_free(&text);
}

static void convert_escaped(const struct conversion_state *state, const char *bytes, size_t length) {
    struct text text = {0};
    value_escape(&text, bytes, length);
    put_string(state, text.data ? text.data : "", text.length);
    text_free(&text);
}

static void convert_escaped_character(const struct conversion_state *state) {
    char c = (char)state->value->integer;
    convert_escaped(state, &c, 1);
}

static void convert_string(const struct conversion_state *state) {
    const struct value *value = state->value;
    uint32_t length = value->length;
    if (value->kind == FIELD_BYTES)
        length = (uint32_t)strnlen(value->bytes, length);
    put_string(state, value->bytes, length);
}

/* The '\0' at the end of the string is shown, too, as DTrace does. */
static void convert_escaped_string(const struct conversion_state *state) {
    struct text text = {0};
    value_escape(&text, state->value->bytes, strnlen(state->value->bytes, state->value->length));
    text_bytes(&text, "\\0", 2);
    put_string(state, text.data ? text.data : "", text.length);
    text_free(&text);
}

static void convert_wide_string(const struct conversion_state *state) {
    struct text text = {0};
    uint32_t character;
    for (uint32_t i = 0; i + sizeof character <= state->value->length; i += sizeof character) {
        memcpy(&character, state->value->bytes + i, sizeof character);
        if (character == 0)
            break;
        text_utf8(&text, character);
    }
    put_string(state, text.data ? text.data : "", text.length);
    text_free(&text);
}

/* What the bytes of a float, a double or a long double stand for. */
static long double float_of(const char *bytes, size_t length) {
    long double number = 0;
    float single;
    double twofold;
    if (length == sizeof single) {
        memcpy(&single, bytes, sizeof single);
        number = single;
    } else if (length == sizeof twofold) {
        memcpy(&twofold, bytes, sizeof twofold);
        number = twofold;
    } else if (length == sizeof number) {
        memcpy(&number, bytes, sizeof number);
    }
    return number;
}

/* A structure's member may be a float, which arrives as its bytes; a variable's value comes as an integer. */
static void convert_float(const struct conversion_state *state) {
    const struct value *value = state->value;
    long double number = value->kind == FIELD_BYTES     ? float_of(value->bytes, value->length)
                         : value->kind == FIELD_INTEGER ? float_of((const char *)&value->integer, value->size)
                                                        : 0;

    const struct format_part *part = state->part;
    const char *name = part->conversion->name;
    char format[16], *to = format;
    *to++ = '%';
    if (part->plus)
        *to++ = '+';
    if (part->space)
        *to++ = ' ';
    if (part->alternate)
        *to++ = '#';
    if (part->zero)
        *to++ = '0';
    if (state->left)
        *to++ = '-';
    memcpy(to, "*.*L", 4);
    to[4] = name[strlen(name) - 1];
    to[5] = '\0';
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    text_format(state->out, format, (int)state->width, state->precision ? (int)state->precision : -1, number);
#pragma GCC diagnostic pop
}

/* The local time of the second is kept, as many values in a row fall into one. */
static const struct tm *local_time(int64_t nanoseconds) {
    static _Thread_local struct tm broken_down;
    static _Thread_local time_t kept;
    static _Thread_local bool valid;
    time_t second = (time_t)(nanoseconds / 1000000000);
    if (!valid || second != kept) {
        if (!localtime_r(&second, &broken_down))
            return NULL;
        kept = second;
        valid = true;
    }
    return &broken_down;
}

static void convert_time(const struct conversion_state *state) {
    char time[128];
    bool mail = state->part->conversion->class == CONVERSION_TIME_MAIL;
    const struct tm *local = local_time(state->value->integer);
    size_t length = !local ? 0
                    : mail ? strftime(time, sizeof time, "%a, %d %b %Y %T %Z", local)
                           : strftime(time, sizeof time, "%Y %b %e %T", local);
    put_string(state, time, length);
}

static void convert_stack(const struct conversion_state *state) {
    int indent = state->left ? 0 : (int)state->width;
    value_stack(state->out, state->value->bytes, state->value->length, indent);
}

static void convert_address(const struct conversion_state *state) {
    char number[NUMBER_SIZE], *end = number + sizeof number;
    char *start = text_hex(end, value_unsigned(state->value), false);
    *--start = 'x';
    *--start = '0';
    put_string(state, start, (size_t)(end - start));
}

static void convert_nothing(const struct conversion_state *state) {
    text_char(state->out, '%');
}

/* By class: who prints it, and what kind of value it wants. */
static const struct {
    void (*convert)(const struct conversion_state *state);
    enum { NUMBER, BYTES, ANY } wants;
} converters[] = {
    [CONVERSION_NONE] = {convert_nothing, NUMBER},
    [CONVERSION_DECIMAL] = {convert_decimal, NUMBER},
    [CONVERSION_UNSIGNED] = {convert_unsigned, NUMBER},
    [CONVERSION_OCTAL] = {convert_octal, NUMBER},
    [CONVERSION_HEX] = {convert_hex, NUMBER},
    [CONVERSION_HEX_UPPER] = {convert_hex, NUMBER},
    [CONVERSION_CHARACTER] = {convert_character, NUMBER},
    [CONVERSION_WIDE_CHARACTER] = {convert_wide_character, NUMBER},
    [CONVERSION_ESCAPED_CHAR] = {convert_escaped_character, NUMBER},
    [CONVERSION_STRING] = {convert_string, BYTES},
    [CONVERSION_WIDE_STRING] = {convert_wide_string, BYTES},
    [CONVERSION_ESCAPED_STRING] = {convert_escaped_string, BYTES},
    [CONVERSION_FLOAT] = {convert_float, ANY},
    [CONVERSION_TIME] = {convert_time, NUMBER},
    [CONVERSION_TIME_MAIL] = {convert_time, NUMBER},
    [CONVERSION_STACK] = {convert_stack, BYTES},
    [CONVERSION_ADDRESS] = {convert_address, NUMBER},
};

void value_convert(struct text *out, const struct format_part *part, const struct value *value) {
    struct conversion_state state = {.out = out, .part = part, .value = value, .left = part->left};
    if (part->width > 0)
        state.width = part->width > WIDTH_MAX ? WIDTH_MAX : (size_t)part->width;
    if (part->precision > 0)
        state.precision = part->precision > WIDTH_MAX ? WIDTH_MAX : (size_t)part->precision;

    enum conversion_class class = part->conversion->class;
    bool has_bytes = value->kind != FIELD_INTEGER;
    if (converters[class].wants == ANY || has_bytes == (converters[class].wants == BYTES) ||
        class == CONVERSION_NONE)
        converters[class].convert(&state);
    else if (has_bytes) /* only of a program that dlang has not checked */
        convert_string(&state);
    else
        convert_decimal(&state);
}
