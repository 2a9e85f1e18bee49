/*
 * labels.c: a hash table of labels.
 */
#include "labels.h"

#include <stdlib.h>
#include <string.h>

static uint64_t mix(uint64_t hash, uint64_t word) {
    hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
    return hash ^ hash >> 32;
}

/* Eight bytes at a time: each call of the traced program comes by here. */
static uint64_t mix_bytes(uint64_t hash, const char *bytes, size_t length) {
    uint64_t word;
    for (; length >= sizeof word; bytes += sizeof word, length -= sizeof word) {
        memcpy(&word, bytes, sizeof word);
        hash = mix(hash, word);
    }
    word = length;
    memcpy((char *)&word + 1, bytes, length);
    return mix(hash, word);
}

static uint32_t hash_of(const struct label *label) {
    uint64_t hash = mix(label->category, label->line);
    hash = mix_bytes(hash, label->name, label->name_length);
    return (uint32_t)mix_bytes(hash, label->file, label->file_length);
}

static bool same(const struct label *a, const struct label *b) {
    return a->line == b->line && a->category == b->category && a->name_length == b->name_length &&
           a->file_length == b->file_length && memcmp(a->name, b->name, a->name_length) == 0 &&
           memcmp(a->file, b->file, a->file_length) == 0;
}

static bool grow_table(struct labels *labels) {
    uint32_t size = labels->table_size > 0 ? labels->table_size * 2 : 1024;
    uint32_t *table = calloc(size, sizeof *table);
    if (table == NULL) {
        return false;
    }
    for (uint32_t id = 0; id < labels->count; id++) {
        uint32_t at = labels->hashes[id] & (size - 1);
        while (table[at] != 0) {
            at = (at + 1) & (size - 1);
        }
        table[at] = id + 1;
    }
    free(labels->table);
    labels->table = table;
    labels->table_size = size;
    return true;
}

static bool make_room(struct labels *labels) {
    if (labels->count == labels->room) {
        uint32_t room = labels->room > 0 ? labels->room * 2 : 512;
        struct label *all = realloc(labels->all, room * sizeof *all);
        if (all == NULL) {
            return false;
        }
        labels->all = all;
        uint32_t *hashes = realloc(labels->hashes, room * sizeof *hashes);
        if (hashes == NULL) {
            return false;
        }
        labels->hashes = hashes;
        labels->room = room;
    }
    return labels->count * 2 < labels->table_size || grow_table(labels);
}

/* One block for both texts. */
static bool copy(struct label *to, const struct label *label) {
    char *text = malloc((size_t)label->name_length + label->file_length + 1);
    if (text == NULL) {
        return false;
    }
    memcpy(text, label->name, label->name_length);
    memcpy(text + label->name_length, label->file, label->file_length);
    *to = *label;
    to->name = text;
    to->file = text + label->name_length;
    return true;
}

uint32_t labels_id(struct labels *labels, const struct label *label) {
    if (!make_room(labels)) {
        return LABEL_NONE;
    }
    uint32_t hash = hash_of(label);
    uint32_t at = hash & (labels->table_size - 1);
    for (; labels->table[at] != 0; at = (at + 1) & (labels->table_size - 1)) {
        uint32_t id = labels->table[at] - 1;
        if (labels->hashes[id] == hash && same(&labels->all[id], label)) {
            return id;
        }
    }
    if (!copy(&labels->all[labels->count], label)) {
        return LABEL_NONE;
    }
    labels->hashes[labels->count] = hash;
    labels->table[at] = labels->count + 1;
    return labels->count++;
}

void labels_free(struct labels *labels) {
    for (uint32_t id = 0; id < labels->count; id++) {
        free((char *)labels->all[id].name);
    }
    free(labels->all);
    free(labels->hashes);
    free(labels->table);
    *labels = (struct labels){0};
}
