/*
 * slices.h: what is open in a thread: calls, collections and imports that have begun and not ended.
 */
#ifndef VIEWER_SLICES_H
#define VIEWER_SLICES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct slice {
    uint64_t start;   /* as it is shown; nanoseconds of CLOCK_MONOTONIC */
    uint64_t earlier; /* so long before that it really began, when what was before is not shown */
    uint32_t label;
    uint32_t key; /* the same in what begins and what ends it */
    uint8_t category;
    bool written; /* its beginning is */
};

struct slices {
    struct slice *all; /* owned; the innermost last */
    size_t depth, room;
};

/* False: out of memory. */
bool slices_push(struct slices *slices, const struct slice *slice);

/* How many are open when the innermost with this category and key is the last; 0: there is none. */
size_t slices_find(const struct slices *slices, uint8_t category, uint32_t key);

void slices_free(struct slices *slices);

#endif
