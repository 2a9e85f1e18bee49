/*
 * gzip.c: RFC 1952, with stored blocks of RFC 1951.
 */
#include "gzip.h"

enum { BLOCK_MAX = 65535 };

static uint32_t crc32_of(const char *bytes, size_t length) {
    uint32_t crc = UINT32_MAX;
    uint32_t table[256];
    for (uint32_t i = 0; i < 256; i++) {
        table[i] = i;
        for (int bit = 0; bit < 8; bit++) {
            table[i] = (table[i] & 1) != 0 ? UINT32_C(0xedb88320) ^ table[i] >> 1 : table[i] >> 1;
        }
    }
    for (size_t i = 0; i < length; i++) {
        crc = table[(crc ^ (unsigned char)bytes[i]) & 255] ^ crc >> 8;
    }
    return ~crc;
}

static void little_endian(struct text *out, uint32_t value, int bytes) {
    for (int i = 0; i < bytes; i++) {
        text_char(out, (char)(value >> 8 * i & 255));
    }
}

void gzip_stored(struct text *out, const char *bytes, size_t length) {
    static const char header[] = "\x1f\x8b\x08\0\0\0\0\0\0\xff"; /* no name, no date, system not known */
    text_bytes(out, header, sizeof header - 1);
    size_t at = 0;
    do {
        size_t size = length - at < BLOCK_MAX ? length - at : BLOCK_MAX;
        text_char(out, at + size == length ? 1 : 0); /* the last one; stored */
        little_endian(out, (uint32_t)size, 2);
        little_endian(out, ~(uint32_t)size, 2);
        text_bytes(out, bytes + at, size);
        at += size;
    } while (at < length);
    little_endian(out, crc32_of(bytes, length), 4);
    little_endian(out, (uint32_t)length, 4);
}
