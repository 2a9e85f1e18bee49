/*
 * protobuf.h: writes messages in the wire format of Protocol Buffers, field by field, into a text. Fields
 * that are not written have their default when read.
 *
 *      size_t sample = protobuf_begin(&out, 2);        message Profile { repeated Sample sample = 2; }
 *      protobuf_number(&out, 1, location);             message Sample { repeated uint64 location_id = 1; }
 *      protobuf_end(&out, sample);
 */
#ifndef VIEWER_PROTOBUF_H
#define VIEWER_PROTOBUF_H

#include "consumer/text.h"

#include <stddef.h>
#include <stdint.h>

/* int32, int64, uint32, uint64, bool, enum; negative ones as (uint64_t)(int64_t)value. */
void protobuf_number(struct text *out, uint32_t field, uint64_t value);

/* string, which has to be UTF-8, and bytes. */
void protobuf_bytes(struct text *out, uint32_t field, const void *bytes, size_t length);
void protobuf_string(struct text *out, uint32_t field, const char *string);

/* A field that is a message, or packed numbers: what is written between the two is its content. They nest. */
size_t protobuf_begin(struct text *out, uint32_t field);
void protobuf_end(struct text *out, size_t begin);

/* A number without a field before it: an element of packed numbers. */
void protobuf_varint(struct text *out, uint64_t value);

#endif
