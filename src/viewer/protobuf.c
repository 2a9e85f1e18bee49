/*
 * protobuf.c: the wire format of Protocol Buffers: a tag, field number and wire type, before each value.
 */
#include "protobuf.h"

#include <string.h>

enum wire_type { WIRE_VARINT = 0, WIRE_LENGTH = 2 };

enum { VARINT_MAX = 10 }; /* bytes of 64 bits */

static size_t put_varint(unsigned char *to, uint64_t value) {
    size_t length = 0;
    while (value >= 0x80) {
        to[length++] = (unsigned char)(value | 0x80);
        value >>= 7;
    }
    to[length++] = (unsigned char)value;
    return length;
}

void protobuf_varint(struct text *out, uint64_t value) {
    char *to = text_room(out, VARINT_MAX);
    if (to != NULL) {
        out->length += put_varint((unsigned char *)to, value);
    }
}

static void tag(struct text *out, uint32_t field, enum wire_type type) {
    protobuf_varint(out, (uint64_t)field << 3 | type);
}

void protobuf_number(struct text *out, uint32_t field, uint64_t value) {
    tag(out, field, WIRE_VARINT);
    protobuf_varint(out, value);
}

void protobuf_bytes(struct text *out, uint32_t field, const void *bytes, size_t length) {
    tag(out, field, WIRE_LENGTH);
    protobuf_varint(out, length);
    text_bytes(out, bytes, length);
}

void protobuf_string(struct text *out, uint32_t field, const char *string) {
    protobuf_bytes(out, field, string, strlen(string));
}

/* One byte is left free for the length, which is enough for most. */
size_t protobuf_begin(struct text *out, uint32_t field) {
    tag(out, field, WIRE_LENGTH);
    text_char(out, 0);
    return out->length;
}

void protobuf_end(struct text *out, size_t begin) {
    unsigned char length[VARINT_MAX];
    size_t content = out->length - begin;
    size_t more = put_varint(length, content) - 1;
    if (out->failed || text_room(out, more) == NULL) {
        return;
    }
    memmove(out->data + begin + more, out->data + begin, content);
    memcpy(out->data + begin - 1, length, more + 1);
    out->length += more;
}
