/*
 * calltree.c: a tree of calls that is folded as it grows.
 *
 * A subtree lasts longer than any that is within it, so that folding all that is shorter than some time
 * leaves a tree. That time is chosen so that half of the calls stay; each has then cost as much as to sort it
 * once.
 */
#include "calltree.h"

#include <stdlib.h>
#include <string.h>

static struct call *take_call(struct calltree *tree) {
    struct call *call = tree->spare;
    if (call != NULL) {
        tree->spare = call->next;
    } else {
        call = malloc(sizeof *call);
    }
    if (call != NULL) {
        *call = (struct call){.label = LABEL_NONE};
        tree->count++;
    }
    return call;
}

static void give_back(struct calltree *tree, struct call *call) {
    call->next = tree->spare;
    tree->spare = call;
    tree->count--;
}

static void append(struct call *parent, struct call *call) {
    call->parent = parent;
    call->next = NULL;
    *(parent->last != NULL ? &parent->last->next : &parent->first) = call;
    parent->last = call;
}

/* Without recursion, as it may be as deep as the program's. */
void calltree_cut(struct calltree *tree, struct call *call) {
    struct call *at = call;
    while (call->first != NULL) {
        while (at->first != NULL) {
            at = at->first;
        }
        struct call *parent = at->parent;
        parent->first = at->next;
        give_back(tree, at);
        at = parent;
    }
    call->last = NULL;
}

void calltree_clear(struct calltree *tree) {
    if (tree->root != NULL) {
        calltree_cut(tree, tree->root);
        give_back(tree, tree->root);
    }
    tree->root = tree->top = NULL;
    tree->fold_at = 0;
}

void calltree_free(struct calltree *tree) {
    calltree_clear(tree);
    while (tree->spare != NULL) {
        struct call *call = tree->spare;
        tree->spare = call->next;
        free(call);
    }
}

struct call *calltree_next(const struct call *from, struct call *call, uint32_t *depth) {
    if (call->first != NULL) {
        ++*depth;
        return call->first;
    }
    while (call != from && call->next == NULL) {
        call = call->parent;
        --*depth;
    }
    return call == from ? NULL : call->next;
}

struct call *calltree_enter(struct calltree *tree, uint64_t time, uint32_t label, uint32_t key,
                            uint32_t labels) {
    if (tree->count >= tree->fold_at) {
        if (tree->count >= 2 * tree->limit && !calltree_fold(tree, tree->limit, labels)) {
            return NULL;
        }
        /* where the open calls alone are too many, not at each further one */
        tree->fold_at = 2 * (tree->count > tree->limit ? tree->count : tree->limit);
    }
    struct call *call = take_call(tree);
    if (call == NULL) {
        return NULL;
    }
    call->start = time;
    call->label = label;
    call->key = key;
    call->open = true;
    if (tree->top != NULL) {
        append(tree->top, call);
    } else {
        tree->root = call;
    }
    tree->top = call;
    return call;
}

struct call *calltree_return(struct calltree *tree, uint64_t time, uint32_t key) {
    struct call *call = tree->top;
    while (call != NULL && call->key != key) {
        call = call->parent;
    }
    for (struct call *inner = tree->top; call != NULL; inner = inner->parent) {
        inner->open = false;
        inner->duration = time - inner->start;
        if (inner == call) {
            tree->top = call->parent;
            break;
        }
    }
    return call;
}

/* ---- Folding ---- */

/* The folds that a call has below it, by label; valid where `of` is the number of the call at hand. */
struct fold {
    uint64_t of;
    struct call *fold;
};

struct folding {
    struct calltree *tree;
    struct fold *folds; /* by label, one more for several functions */
    uint32_t labels;
    uint64_t at;      /* the number of the call at hand */
    uint64_t longest; /* of what is folded */
    bool into_others; /* folds, too, are folded */
};

/* The fold into which a call goes. NULL: out of memory. */
static struct call *fold_for(struct folding *folding, struct call *parent, uint32_t label) {
    struct fold *fold = &folding->folds[label == LABEL_NONE ? folding->labels : label];
    if (fold->of != folding->at) {
        struct call *made = take_call(folding->tree);
        if (made == NULL) {
            return NULL;
        }
        made->label = label;
        made->start = UINT64_MAX;
        append(parent, made);
        *fold = (struct fold){.of = folding->at, .fold = made};
    }
    return fold->fold;
}

static bool goes(const struct folding *folding, const struct call *call) {
    bool may = call->folded == 0 || (folding->into_others && call->label != LABEL_NONE);
    return may && !call->open && call->duration <= folding->longest;
}

static bool fold_into(struct folding *folding, struct call *parent, struct call *call) {
    struct call *fold = fold_for(folding, parent, call->folded > 0 ? LABEL_NONE : call->label);
    if (fold == NULL) {
        append(parent, call);
        return false;
    }
    fold->start = call->start < fold->start ? call->start : fold->start;
    fold->duration += call->duration;
    fold->folded += call->folded > 0 ? call->folded : 1;
    if (call->folded > 0) {
        folding->folds[call->label].of = 0; /* it is there no more */
    }
    calltree_cut(folding->tree, call);
    give_back(folding->tree, call);
    return true;
}

/* Folds what is short of what one call has called. */
static bool fold_below(struct folding *folding, struct call *parent) {
    struct call *call = parent->first;
    bool good = true;
    folding->at++;
    for (struct call *known = call; known != NULL; known = known->next) {
        if (known->folded > 0) {
            folding->folds[known->label == LABEL_NONE ? folding->labels : known->label] =
                (struct fold){.of = folding->at, .fold = known};
        }
    }
    parent->first = parent->last = NULL;
    /* The folds stay in their place or come to the end; the order of the others is kept. */
    for (struct call *next; call != NULL; call = next) {
        next = call->next;
        if (goes(folding, call)) {
            good = fold_into(folding, parent, call) && good;
        } else {
            append(parent, call);
        }
    }
    return good;
}

static int compare(const void *a, const void *b) {
    uint64_t one = *(const uint64_t *)a, other = *(const uint64_t *)b;
    return (one > other) - (one < other);
}

/* The time up to which is to be folded, so that fewer than `limit` calls stay, as folds come to them. False:
   there is nothing to fold. */
static bool choose(struct folding *folding, uint64_t *durations, uint32_t limit) {
    uint32_t depth = 0;
    size_t count = 0;
    folding->longest = UINT64_MAX;
    for (struct call *call = folding->tree->root; call != NULL;
         call = calltree_next(folding->tree->root, call, &depth)) {
        if (goes(folding, call)) {
            durations[count++] = call->duration;
        }
    }
    if (count == 0) {
        return false;
    }
    size_t fewer = folding->tree->count - limit + limit / 4;
    qsort(durations, count, sizeof *durations, compare);
    folding->longest = durations[(fewer < count ? fewer : count) - 1];
    return true;
}

static bool fold_all(struct folding *folding) {
    uint32_t depth = 0;
    bool good = true;
    for (struct call *call = folding->tree->root; call != NULL;
         call = calltree_next(folding->tree->root, call, &depth)) {
        good = fold_below(folding, call) && good;
    }
    return good;
}

/* First calls into folds; where these are too many, the shortest of them into one for each caller. */
bool calltree_fold(struct calltree *tree, uint32_t limit, uint32_t labels) {
    enum { PASSES = 4 };
    uint64_t *durations = malloc((tree->count + 1) * sizeof *durations);
    struct folding folding = {
        .tree = tree, .folds = calloc((size_t)labels + 1, sizeof *folding.folds), .labels = labels};
    bool good = durations != NULL && folding.folds != NULL;
    for (int i = 0; i < PASSES && good && tree->count > limit; i++) {
        folding.into_others = i > 0;
        good = !choose(&folding, durations, limit) || fold_all(&folding);
    }
    free(durations);
    free(folding.folds);
    return good;
}
