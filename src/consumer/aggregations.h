/*
 * aggregations.h: the aggregations of a session as the consumer sees them: the sum, for each key, over all
 * slots and over the processes that have gone; and clear, trunc, normalize and sorting.
 */
#ifndef CONSUMER_AGGREGATIONS_H
#define CONSUMER_AGGREGATIONS_H

#include "engine/arena.h"
#include "program/program.h"
#include "value.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One key of an aggregation and its value. */
struct aggregate {
    uint64_t hash;
    bool present; /* has a value now */
    bool kept;    /* has one even without an entry in the arena: `base` */
    uint32_t key_size;
    char *key;     /* encoded as fields of a record */
    int64_t *data; /* the value as of the last snapshot; see struct arena_aggregate */
    int64_t *base; /* what is added to the entries in the arena: of processes that have gone, and what
                      clear() has taken away */
};

struct aggregation {
    const struct program_aggregation *program; /* borrowed */
    const struct program_field *fields;        /* of the keys */
    uint32_t id, words;
    uint64_t normal;               /* 1: not normalized */
    bool printed;                  /* by a printa */
    struct aggregate **aggregates; /* owned */
    size_t count, capacity;
    size_t *table; /* by hash: 1 + the index above; 0: free */
    size_t table_size;
};

struct aggregations {
    const struct program_header *program; /* borrowed */
    struct arena *arena;                  /* borrowed */
    struct aggregation *all;              /* owned; by id */
    uint32_t count;
    uint32_t slots;   /* that are read: the caller sets it */
    int64_t *options; /* borrowed: for sorting */
    char *scratch;    /* of an entry */
    int64_t *zeros;   /* owned: the value of a key that another aggregation has, as long as the longest */
    bool failed;      /* out of memory: something is missing */
};

bool aggregations_open(struct aggregations *aggregations, const struct program_header *program,
                       struct arena *arena, int64_t options[OPTION_COUNT]);
void aggregations_close(struct aggregations *aggregations);

/* Reads the arena: all `data` are as of now. */
void aggregations_snapshot(struct aggregations *aggregations);

/* Takes a slot's entries out, before it is freed. */
void aggregations_harvest(struct aggregations *aggregations, uint32_t slot);

/* What the actions do; after a snapshot, which stays good. */
void aggregations_clear(struct aggregations *aggregations, uint32_t id);
void aggregations_truncate(struct aggregations *aggregations, uint32_t id, int64_t keep);

/* Those with a value, sorted by the options. The caller frees the array; NULL: there are none. */
const struct aggregate **aggregation_sorted(const struct aggregations *aggregations, uint32_t id,
                                            size_t *count);

/* A line of several aggregations with the same keys: a value for each, NULL where it has none; sorted. The
   caller frees the array with its rows in one free. */
struct aggregate_row {
    const struct aggregate *key;      /* one that has the key */
    const struct aggregate **columns; /* in the order of `ids` */
};
struct aggregate_row *aggregations_joined(const struct aggregations *aggregations, const uint32_t *ids,
                                          size_t n, size_t *count);

/* The value as one number, normalized: of all functions but the quantizing ones. `formatted`: for a printa
   with a format, which divides otherwise than one without. */
int64_t aggregate_number(const struct aggregation *aggregation, const int64_t *data, bool formatted);

#endif
