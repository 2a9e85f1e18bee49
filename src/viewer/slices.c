/*
 * slices.c: a stack of open slices.
 */
#include "slices.h"

#include <stdlib.h>

bool slices_push(struct slices *slices, const struct slice *slice) {
    if (slices->depth == slices->room) {
        size_t room = slices->room > 0 ? slices->room * 2 : 32;
        struct slice *all = realloc(slices->all, room * sizeof *all);
        if (all == NULL) {
            return false;
        }
        slices->all = all;
        slices->room = room;
    }
    slices->all[slices->depth++] = *slice;
    return true;
}

size_t slices_find(const struct slices *slices, uint8_t category, uint32_t key) {
    size_t depth = slices->depth;
    while (depth > 0 && (slices->all[depth - 1].key != key || slices->all[depth - 1].category != category)) {
        depth--;
    }
    return depth;
}

void slices_free(struct slices *slices) {
    free(slices->all);
    *slices = (struct slices){0};
}
