/*
 * calltree.h: the calls of a thread as a tree, with times, in bounded memory: when there are too many, the
 * shortest subtrees are folded into lines that count them.
 */
#ifndef VIEWER_CALLTREE_H
#define VIEWER_CALLTREE_H

#include "labels.h"

#include <stdbool.h>
#include <stdint.h>

/* A call, or several that are folded: of one function, or of several. */
struct call {
    uint64_t start;    /* ns of CLOCK_MONOTONIC; of the first, if folded */
    uint64_t duration; /* ns; of all together, if folded */
    uint64_t folded;   /* so many calls in one; 0: it is one call */
    uint32_t label;    /* LABEL_NONE: of several functions */
    uint32_t key;
    bool open;                                 /* it has not returned */
    bool watched, shown;                       /* the caller's */
    struct call *parent, *first, *last, *next; /* `first`, `last` of what it called; `next` of its parent */
};

/* Zeroed but for its limit, it is empty. */
struct calltree {
    uint32_t limit;     /* brought down to this many calls and folds, when it has twice as many */
    uint32_t count;     /* of struct call */
    uint32_t fold_at;   /* so many are too many */
    struct call *root;  /* owned, with all below; NULL: nothing has been called */
    struct call *top;   /* the innermost that is open, or NULL */
    struct call *spare; /* owned: to be used again */
};

/* A call begins. NULL: out of memory. `labels` is how many labels there are. */
struct call *calltree_enter(struct calltree *tree, uint64_t time, uint32_t label, uint32_t key,
                            uint32_t labels);

/* The innermost open call with this key has returned, and with it what was open within it. It stays in the
   tree. NULL: there is none. */
struct call *calltree_return(struct calltree *tree, uint64_t time, uint32_t key);

/* Folds the shortest subtrees until there are no more than `limit`, or no more can be folded: open calls are
   not. False: out of memory. */
bool calltree_fold(struct calltree *tree, uint32_t limit, uint32_t labels);

/* Forgets what a call has called. */
void calltree_cut(struct calltree *tree, struct call *call);

/* Forgets all calls, or also frees the memory. */
void calltree_clear(struct calltree *tree);
void calltree_free(struct calltree *tree);

/* The call after this one among `from` and all below it, callers before what they called; NULL: it was the
   last. `depth` follows it, and begins as 0. */
struct call *calltree_next(const struct call *from, struct call *call, uint32_t *depth);

#endif
