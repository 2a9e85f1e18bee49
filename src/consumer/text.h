/*
 * text.h: a growing piece of text, into which all output is written before it goes out as a whole. Appending
 * never fails in the caller's sight: when memory runs out, `failed` is set and the rest is left out.
 */
#ifndef CONSUMER_TEXT_H
#define CONSUMER_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct text {
    char *data;      /* owned; not terminated */
    size_t length;   /* bytes */
    size_t capacity; /* bytes allocated */
    bool failed;     /* out of memory: something is missing */
};

/* Room for n more bytes, to be filled by the caller, who then adds to `length`; NULL: out of memory. */
char *text_room_slow(struct text *text, size_t n);

static inline char *text_room(struct text *text, size_t n) {
    if (text->capacity - text->length <= n) /* so none is ever given of what is not allocated yet */
        return text_room_slow(text, n);
    return text->data + text->length;
}

static inline void text_bytes(struct text *text, const char *bytes, size_t n) {
    char *to = text_room(text, n);
    if (to) {
        memcpy(to, bytes, n);
        text->length += n;
    }
}

static inline void text_char(struct text *text, char c) {
    text_bytes(text, &c, 1);
}

static inline void text_string(struct text *text, const char *string) {
    text_bytes(text, string, strlen(string));
}

/* n times c. */
void text_repeat(struct text *text, char c, size_t n);

/* `bytes` in a field at least `width` wide: to its right, or to its left when `left`. */
void text_padded(struct text *text, const char *bytes, size_t n, size_t width, bool left);

/* A number's digits in decimal, ended by `end`, are written before `end`; returns where they start. 20 bytes
   are enough for any, 22 for octal. */
char *text_decimal(char *end, uint64_t value);
char *text_octal(char *end, uint64_t value);
char *text_hex(char *end, uint64_t value, bool upper);

/* The same, right-aligned in a field `width` wide. */
void text_signed(struct text *text, int64_t value, size_t width);
void text_unsigned(struct text *text, uint64_t value, size_t width);

/* As printf; for what is not printed often. */
void text_format(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A character as UTF-8; what is none as U+FFFD. */
void text_utf8(struct text *text, uint32_t character);

/* Bytes that may not be UTF-8, as a text that was cut; what is none becomes U+FFFD: as they are, and as a
   JSON string with its quotes. */
void text_clean(struct text *text, const char *bytes, size_t n);
void text_json(struct text *text, const char *string, size_t n);

void text_free(struct text *text);

#endif
