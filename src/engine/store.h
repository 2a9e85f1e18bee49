/*
 * store.h: the self-> associative arrays of one thread, in its private memory: a hash table of elements, with
 * room leased from what dynvarsize allows the whole process.
 */
#ifndef ENGINE_STORE_H
#define ENGINE_STORE_H

#include "text.h"

/* What all threads of the engine may use together. */
struct store_budget {
    uint64_t left; /* atomic: bytes */
};

struct store_element {
    struct store_element *next; /* in its bucket */
    uint32_t hash;
    uint32_t id; /* of the variable */
    uint32_t keys_size;
    uint32_t room; /* bytes of the element, with this */
    union {
        int64_t integer;   /* of a number */
        struct text *text; /* of a string: behind the keys */
        char *object;      /* of what is used by address */
    };
    char keys[];
};

enum {
    STORE_CLASSES = 48,
    STORE_NUMBERS = 4096, /* of an array that may be among its numbers */
    STORE_PAGE = 64,      /* by so many their room grows */
    STORE_NO_NUMBERS = UINT8_MAX,
};

/* The elements of an array of integers by one integer, for its first keys from 0 on: 0, as everywhere, is no
   element. They have room up to the highest key that was stored; once there is no more room, all others are
   in the hash table, for ever. */
struct store_numbers {
    uint64_t count;   /* keys below have room */
    int64_t *numbers; /* [STORE_NUMBERS], zeroed; owned by the thread's state */
    bool closed;      /* there is no more room */
    uint32_t variable;
};

struct store {
    struct store_budget *budget;
    struct store_element **buckets;
    uint32_t bucket_count; /* a power of two; 0: none yet */
    uint32_t count;        /* elements */
    char *at, *end;        /* room in the newest block */
    uint64_t leased;       /* bytes of the budget taken */
    uint64_t lease_left;   /* of which not used */
    struct store_block *blocks;
    struct store_block *objects; /* blocks of objects alone, which the program may write anywhere into */
    char *object_at, *object_end;
    struct store_element *free[STORE_CLASSES]; /* elements given back, by size */
};

void store_open(struct store *store, struct store_budget *budget);
/* Forgets all elements and gives back the memory, but for a little. */
void store_clear(struct store *store);
void store_close(struct store *store);

/* NULL: there is none. The keys are prepared. */
struct store_element *store_find(const struct store *store, const struct keys *keys);

/* A new element with these keys, which are not in the store, with `room` bytes behind them. NULL: no room. */
struct store_element *store_add(struct store *store, const struct keys *keys, uint32_t room);

void store_remove(struct store *store, struct store_element *element);

/* Room for the number of this key, which is to be stored; false: it goes to the hash table. */
bool store_number_room(struct store *store, struct store_numbers *numbers, uint64_t key);
/* After store_clear: there are no numbers. */
void store_clear_numbers(struct store_numbers *numbers);

/* `size` bytes of zeros which stay until store_clear; NULL: no room. */
char *store_object(struct store *store, uint32_t size);

/* Do these bytes all lie within objects? */
bool store_has_object(const struct store *store, uint64_t address, uint64_t size);

#endif
