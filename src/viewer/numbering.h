/*
 * numbering.h: a map from keys of 64 bits to numbers of 32: how what is seen again gets the number that it
 * has.
 */
#ifndef VIEWER_NUMBERING_H
#define VIEWER_NUMBERING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct numbering {
    struct numbering_entry {
        uint64_t key;
        uint32_t number;
        bool used;
    } * entries;
    size_t count, room; /* room is a power of two, or 0 */
};

/* The number of a key, NULL: it has none. The pointer is good until the next numbering_add. */
const uint32_t *numbering_find(const struct numbering *numbering, uint64_t key);

/* Gives a number to a key that has none. False: out of memory. */
bool numbering_add(struct numbering *numbering, uint64_t key, uint32_t number);

void numbering_free(struct numbering *numbering);

#endif
