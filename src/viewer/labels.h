/*
 * labels.h: what slices and instants of a timeline are called: each function, import, type of exception once,
 * under a small number.
 */
#ifndef VIEWER_LABELS_H
#define VIEWER_LABELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum category { CATEGORY_FUNCTION, CATEGORY_GC, CATEGORY_IMPORT, CATEGORY_EXCEPTION, CATEGORY_COUNT };

struct label {
    const char *name, *file; /* not terminated, not surely UTF-8; file may be empty */
    uint32_t name_length, file_length;
    uint32_t line; /* 0: none */
    uint8_t category;
};

#define LABEL_NONE UINT32_MAX

struct labels {
    struct label *all; /* owned, with their texts; by id */
    uint32_t *hashes;  /* of each */
    uint32_t count, room;
    uint32_t *table; /* by hash: 1 + id; 0: free */
    uint32_t table_size;
};

/* The id of this label, which is copied if it is new: they are numbered from 0. LABEL_NONE: out of memory. */
uint32_t labels_id(struct labels *labels, const struct label *label);

void labels_free(struct labels *labels);

#endif
