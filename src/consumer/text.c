/*
 * text.c: a growing piece of text, and numbers written into it without the printf of the C library.
 */
#include "text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { NUMBER_SIZE = 24 }; /* a sign and the most digits of a number of 64 bits */

char *text_room_slow(struct text *text, size_t n) {
    size_t capacity = text->capacity ? text->capacity : 4096;
    while (capacity - text->length <= n)
        if (capacity > SIZE_MAX / 2) {
            text->failed = true;
            return NULL;
        } else {
            capacity *= 2;
        }
    char *data = realloc(text->data, capacity);
    if (!data) {
        text->failed = true;
        return NULL;
    }
    text->data = data;
    text->capacity = capacity;
    return data + text->length;
}

void text_repeat(struct text *text, char c, size_t n) {
    char *to = text_room(text, n);
    if (to) {
        memset(to, c, n);
        text->length += n;
    }
}

void text_padded(struct text *text, const char *bytes, size_t n, size_t width, bool left) {
    size_t padding = width > n ? width - n : 0;
    char *to = text_room(text, n + padding);
    if (!to)
        return;
    memcpy(left ? to : to + padding, bytes, n);
    if (padding)
        memset(left ? to + n : to, ' ', padding);
    text->length += n + padding;
}

static const char two_digits[] =
    "00010203040506070809101112131415161718192021222324252627282930313233343536373839"
    "40414243444546474849505152535455565758596061626364656667686970717273747576777879"
    "8081828384858687888990919293949596979899";

char *text_decimal(char *end, uint64_t value) {
    while (value >= 100) {
        end -= 2;
        memcpy(end, &two_digits[value % 100 * 2], 2);
        value /= 100;
    }
    if (value >= 10) {
        end -= 2;
        memcpy(end, &two_digits[value * 2], 2);
    } else {
        *--end = (char)('0' + value);
    }
    return end;
}

char *text_octal(char *end, uint64_t value) {
    do
        *--end = (char)('0' + (value & 7));
    while (value >>= 3);
    return end;
}

char *text_hex(char *end, uint64_t value, bool upper) {
    const char *digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";
    do
        *--end = digits[value & 15];
    while (value >>= 4);
    return end;
}

void text_signed(struct text *text, int64_t value, size_t width) {
    char number[NUMBER_SIZE], *end = number + sizeof number;
    char *start = text_decimal(end, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
    if (value < 0)
        *--start = '-';
    text_padded(text, start, (size_t)(end - start), width, false);
}

void text_unsigned(struct text *text, uint64_t value, size_t width) {
    char number[NUMBER_SIZE], *end = number + sizeof number;
    char *start = text_decimal(end, value);
    text_padded(text, start, (size_t)(end - start), width, false);
}

void text_format(struct text *text, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    char *to = length < 0 ? NULL : text_room(text, (size_t)length + 1);
    if (!to)
        return;
    va_start(arguments, format);
    vsnprintf(to, (size_t)length + 1, format, arguments);
    va_end(arguments);
    text->length += (size_t)length;
}

void text_utf8(struct text *text, uint32_t character) {
    if (character > 0x10ffff || (character >= 0xd800 && character < 0xe000))
        character = 0xfffd;
    if (character < 0x80) {
        text_char(text, (char)character);
    } else if (character < 0x800) {
        text_char(text, (char)(0xc0 | character >> 6));
        text_char(text, (char)(0x80 | (character & 63)));
    } else if (character < 0x10000) {
        text_char(text, (char)(0xe0 | character >> 12));
        text_char(text, (char)(0x80 | (character >> 6 & 63)));
        text_char(text, (char)(0x80 | (character & 63)));
    } else {
        text_char(text, (char)(0xf0 | character >> 18));
        text_char(text, (char)(0x80 | (character >> 12 & 63)));
        text_char(text, (char)(0x80 | (character >> 6 & 63)));
        text_char(text, (char)(0x80 | (character & 63)));
    }
}

/* The length of the UTF-8 sequence at `bytes`; 0: it is none. */
static size_t sequence_length(const unsigned char *bytes, size_t left) {
    static const struct {
        unsigned char first, last;   /* of the first byte */
        unsigned char second, until; /* bounds of the second */
        size_t length;
    } forms[] = {
        {0x00, 0x7f, 0x00, 0xff, 1}, {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
        {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
        {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
    };
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        if (bytes[0] < forms[i].first || bytes[0] > forms[i].last)
            continue;
        if (forms[i].length > left)
            return 0;
        if (forms[i].length > 1 && (bytes[1] < forms[i].second || bytes[1] > forms[i].until))
            return 0;
        for (size_t k = 2; k < forms[i].length; k++)
            if ((bytes[k] & 0xc0) != 0x80)
                return 0;
        return forms[i].length;
    }
    return 0;
}

void text_clean(struct text *text, const char *bytes, size_t n) {
    while (n > 0) {
        size_t sequence = sequence_length((const unsigned char *)bytes, n);
        if (sequence == 0)
            text_utf8(text, 0xfffd);
        else
            text_bytes(text, bytes, sequence);
        bytes += sequence ? sequence : 1;
        n -= sequence ? sequence : 1;
    }
}

void text_json(struct text *text, const char *string, size_t n) {
    static const char letters[] = "btn?fr"; /* of '\b' to '\r' */
    const unsigned char *bytes = (const unsigned char *)string;
    text_char(text, '"');
    for (size_t i = 0, sequence; i < n; i += sequence ? sequence : 1) {
        sequence = sequence_length(bytes + i, n - i);
        if (sequence == 0) {
            text_utf8(text, 0xfffd);
        } else if (sequence > 1 ||
                   (bytes[i] >= ' ' && bytes[i] != '"' && bytes[i] != '\\' && bytes[i] != 0x7f)) {
            text_bytes(text, string + i, sequence);
        } else if (bytes[i] == '"' || bytes[i] == '\\') {
            text_char(text, '\\');
            text_char(text, string[i]);
        } else if (bytes[i] >= '\b' && bytes[i] <= '\r' && bytes[i] != '\v') {
            text_char(text, '\\');
            text_char(text, letters[bytes[i] - '\b']);
        } else {
            text_format(text, "\\u%04x", bytes[i]);
        }
    }
    text_char(text, '"');
}

void text_free(struct text *text) {
    free(text->data);
    *text = (struct text){0};
}
