/*
 * numbering.c: an open hash table, at most half full.
 */
#include "numbering.h"

#include <stdlib.h>

static size_t place(const struct numbering *numbering, uint64_t key) {
    uint64_t mixed = key * UINT64_C(0x9e3779b97f4a7c15);
    size_t at = (size_t)(mixed ^ mixed >> 29) & (numbering->room - 1);
    while (numbering->entries[at].used && numbering->entries[at].key != key) {
        at = (at + 1) & (numbering->room - 1);
    }
    return at;
}

const uint32_t *numbering_find(const struct numbering *numbering, uint64_t key) {
    if (numbering->room == 0) {
        return NULL;
    }
    const struct numbering_entry *entry = &numbering->entries[place(numbering, key)];
    return entry->used ? &entry->number : NULL;
}

static bool grow(struct numbering *numbering) {
    struct numbering larger = {.room = numbering->room == 0 ? 64 : numbering->room * 2,
                               .count = numbering->count};
    larger.entries = calloc(larger.room, sizeof *larger.entries);
    if (larger.entries == NULL) {
        return false;
    }
    for (size_t i = 0; i < numbering->room; i++) {
        if (numbering->entries[i].used) {
            larger.entries[place(&larger, numbering->entries[i].key)] = numbering->entries[i];
        }
    }
    free(numbering->entries);
    *numbering = larger;
    return true;
}

bool numbering_add(struct numbering *numbering, uint64_t key, uint32_t number) {
    if (numbering->count * 2 >= numbering->room && !grow(numbering)) {
        return false;
    }
    numbering->entries[place(numbering, key)] =
        (struct numbering_entry){.key = key, .number = number, .used = true};
    numbering->count++;
    return true;
}

void numbering_free(struct numbering *numbering) {
    free(numbering->entries);
    *numbering = (struct numbering){.entries = NULL};
}
