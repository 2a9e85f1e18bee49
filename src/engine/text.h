/*
 * text.h: values as the engine has them in registers, texts as it stores them, and the keys of arrays and
 * aggregations: how they are hashed, compared and encoded.
 */
#ifndef ENGINE_TEXT_H
#define ENGINE_TEXT_H

#include "program/program.h"

#include <string.h>

/* A register. The verifier knows which of the two it holds. */
struct value {
    union {
        int64_t integer;
        const char *text; /* not always '\0' at its end; NULL: D's null string */
    };
    uint32_t length; /* of the text */
    uint32_t hash;   /* of the text; 0: not known yet */
};

/* A stored text. */
struct text {
    uint32_t length; /* TEXT_NULL: the null string */
    uint32_t hash;   /* 0: not known yet */
    char bytes[];    /* '\0' at the end */
};
#define TEXT_NULL UINT32_MAX

static inline struct value value_of_integer(int64_t integer) {
    return (struct value){.integer = integer};
}

static inline struct value value_of_text(const struct text *text) {
    if (text->length == TEXT_NULL)
        return (struct value){.text = NULL};
    return (struct value){.text = text->bytes, .length = text->length, .hash = text->hash};
}

static inline struct value value_of_bytes(const char *bytes, size_t length) {
    return (struct value){.text = bytes, .length = (uint32_t)length};
}

/* Stores a text, cut to `most` bytes, for which there must be room. It may overlap with the old. */
static inline void text_set(struct text *text, struct value value, uint32_t most) {
    if (!value.text) {
        text->length = TEXT_NULL;
        return;
    }
    text->hash = value.length <= most ? value.hash : 0;
    text->length = value.length <= most ? value.length : most;
    memmove(text->bytes, value.text, text->length);
    text->bytes[text->length] = '\0';
}

static inline uint64_t hash_mix(uint64_t hash, uint64_t word) {
    __extension__ typedef unsigned __int128 wide;
    wide product = (wide)(hash ^ word) * 0x9e3779b97f4a7c15ULL;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Never 0. */
static inline uint32_t hash_bytes(const char *bytes, size_t length) {
    uint64_t hash = 0x2545f4914f6cdd1dULL + length, word = 0;
    for (; length >= 8; bytes += 8, length -= 8) {
        memcpy(&word, bytes, 8);
        hash = hash_mix(hash, word);
    }
    word = 0;
    memcpy(&word, bytes, length);
    hash = hash_mix(hash, word);
    return (uint32_t)(hash >> 32) | 1;
}

static inline uint32_t value_hash(struct value *value) {
    if (!value->hash)
        value->hash = hash_bytes(value->text, value->length);
    return value->hash;
}

/* Bytes of a text of this length encoded as a field. */
static inline uint32_t encoded_size(uint32_t length) {
    return (uint32_t)(sizeof(uint32_t) + length + 1 + 7) / 8 * 8;
}

/* Encodes a text as a field; returns what is behind it. */
static inline char *encode_text(char *at, const char *text, uint32_t length) {
    uint32_t size = encoded_size(length);
    memset(at + size - 8, 0, 8);
    memcpy(at, &length, sizeof length);
    if (length)
        memcpy(at + sizeof length, text, length);
    return at + size;
}

/* Keys: `count` values of these kinds. */
struct keys {
    struct value *values;
    const uint8_t *kinds; /* enum value_kind */
    uint32_t count;
    uint32_t id;   /* of the variable or the aggregation */
    uint32_t size; /* bytes when encoded; by keys_prepare */
    uint32_t hash; /* by keys_prepare */
};

/* Fills in size and hash. False: one of them is a null string. */
static inline bool keys_prepare(struct keys *keys) {
    uint64_t hash = keys->id + 1;
    uint32_t size = 0;
    for (uint32_t i = 0; i < keys->count; i++) {
        struct value *value = &keys->values[i];
        if (keys->kinds[i] == VALUE_INTEGER) {
            hash = hash_mix(hash, (uint64_t)value->integer);
            size += 8;
        } else {
            if (!value->text)
                return false;
            hash = hash_mix(hash, value_hash(value));
            size += encoded_size(value->length);
        }
    }
    keys->size = size;
    keys->hash = (uint32_t)(hash >> 32) ^ (uint32_t)hash;
    return true;
}

/* Are these the keys encoded at `at`, where keys->size bytes can be read? */
static inline bool keys_equal(const struct keys *keys, const char *at) {
    for (uint32_t i = 0; i < keys->count; i++) {
        const struct value *value = &keys->values[i];
        if (keys->kinds[i] == VALUE_INTEGER) {
            if (memcmp(at, &value->integer, 8) != 0)
                return false;
            at += 8;
        } else {
            if (memcmp(at, &value->length, sizeof value->length) != 0 ||
                memcmp(at + sizeof value->length, value->text, value->length) != 0)
                return false;
            at += encoded_size(value->length);
        }
    }
    return true;
}

static inline void keys_encode(const struct keys *keys, char *at) {
    for (uint32_t i = 0; i < keys->count; i++) {
        const struct value *value = &keys->values[i];
        if (keys->kinds[i] == VALUE_INTEGER) {
            memcpy(at, &value->integer, 8);
            at += 8;
        } else {
            at = encode_text(at, value->text, value->length);
        }
    }
}

#endif
