/*
 * store.c: see store.h.
 */
#include "store.h"

#include "memory.h"

struct store_block {
    struct store_block *next;
    size_t size; /* bytes with this */
};

enum {
    LEASE = 4096,       /* bytes taken from the budget at a time */
    BLOCK = 64 << 10,   /* bytes of a block */
    BUCKETS_FIRST = 64, /* of a table */
    GRAIN = 16,         /* sizes are multiples of it */
    GRAINS_EXACT = 32,  /* up to so many there is a class for each size; then one for each power of two */
};

void store_open(struct store *store, struct store_budget *budget) {
    *store = (struct store){.budget = budget};
}

static void free_blocks(struct store_block *block) {
    while (block) {
        struct store_block *next = block->next;
        memory_unmap(block, block->size);
        block = next;
    }
}

void store_clear(struct store *store) {
    struct store_budget *budget = store->budget;
    if (!store->leased)
        return;
    free_blocks(store->blocks);
    free_blocks(store->objects);
    memory_unmap(store->buckets, store->bucket_count * sizeof *store->buckets);
    __atomic_fetch_add(&budget->left, store->leased, __ATOMIC_RELAXED);
    store_open(store, budget);
}

void store_close(struct store *store) {
    store_clear(store);
}

/* Takes bytes from the lease, and leases more when they do not suffice. */
static bool lease(struct store *store, uint64_t bytes) {
    if (bytes > store->lease_left) {
        uint64_t more = bytes > LEASE ? bytes : LEASE;
        uint64_t left = __atomic_load_n(&store->budget->left, __ATOMIC_RELAXED);
        do {
            if (more > left)
                more = bytes - store->lease_left;
            if (more > left)
                return false;
        } while (!__atomic_compare_exchange_n(&store->budget->left, &left, left - more, true,
                                              __ATOMIC_RELAXED, __ATOMIC_RELAXED));
        store->leased += more;
        store->lease_left += more;
    }
    store->lease_left -= bytes;
    return true;
}

/* Bytes from the newest of a list of blocks, or a new one; NULL: no memory. */
static char *carve(struct store_block **blocks, char **at, char **end, uint64_t bytes) {
    if (!*at || (uint64_t)(*end - *at) < bytes) {
        uint64_t head = (sizeof(struct store_block) + GRAIN - 1) / GRAIN * GRAIN;
        size_t size = bytes + head > BLOCK ? (bytes + head + 4095) / 4096 * 4096 : BLOCK;
        struct store_block *block = memory_map(size);
        if (!block)
            return NULL;
        block->next = *blocks;
        block->size = size;
        *blocks = block;
        *at = (char *)block + head;
        *end = (char *)block + size;
    }
    char *carved = *at;
    *at += bytes;
    return carved;
}

/* The class of a size in bytes; the size becomes that of all in the class. */
static uint32_t class_of(uint32_t *bytes) {
    uint32_t grains = (*bytes + GRAIN - 1) / GRAIN;
    uint32_t class = grains;
    if (grains >= GRAINS_EXACT) {
        uint32_t bits = 32 - (uint32_t)__builtin_clz(grains - 1);
        grains = 1U << bits;
        class = GRAINS_EXACT + bits - 5;
    }
    *bytes = grains * GRAIN;
    return class;
}

static bool grow(struct store *store) {
    uint32_t count = store->bucket_count ? store->bucket_count * 2 : BUCKETS_FIRST;
    struct store_element **buckets = memory_map(count * sizeof *buckets);
    if (!buckets)
        return false;
    for (uint32_t i = 0; i < store->bucket_count; i++) {
        struct store_element *next;
        for (struct store_element *element = store->buckets[i]; element; element = next) {
            struct store_element **bucket = &buckets[element->hash & (count - 1)];
            next = element->next;
            element->next = *bucket;
            *bucket = element;
        }
    }
    memory_unmap(store->buckets, store->bucket_count * sizeof *buckets);
    store->buckets = buckets;
    store->bucket_count = count;
    return true;
}

struct store_element *store_find(const struct store *store, const struct keys *keys) {
    if (!store->bucket_count)
        return NULL;
    struct store_element *element = store->buckets[keys->hash & (store->bucket_count - 1)];
    for (; element; element = element->next) {
        if (element->hash == keys->hash && element->id == keys->id && element->keys_size == keys->size &&
            keys_equal(keys, element->keys))
            return element;
    }
    return NULL;
}

struct store_element *store_add(struct store *store, const struct keys *keys, uint32_t room) {
    uint32_t bytes = (uint32_t)sizeof(struct store_element) + keys->size + room;
    uint32_t class = class_of(&bytes);
    if (store->count >= store->bucket_count && !grow(store) && !store->bucket_count)
        return NULL;
    struct store_element *element = class < STORE_CLASSES ? store->free[class] : NULL;
    if (element) {
        store->free[class] = element->next;
    } else {
        if (class >= STORE_CLASSES || !lease(store, bytes))
            return NULL;
        element = (struct store_element *)carve(&store->blocks, &store->at, &store->end, bytes);
        if (!element)
            return NULL;
    }
    struct store_element **bucket = &store->buckets[keys->hash & (store->bucket_count - 1)];
    *element = (struct store_element){
        .next = *bucket, .hash = keys->hash, .id = keys->id, .keys_size = keys->size, .room = bytes};
    keys_encode(keys, element->keys);
    *bucket = element;
    store->count++;
    return element;
}

void store_remove(struct store *store, struct store_element *element) {
    struct store_element **link = &store->buckets[element->hash & (store->bucket_count - 1)];
    while (*link != element)
        link = &(*link)->next;
    *link = element->next;
    uint32_t bytes = element->room;
    uint32_t class = class_of(&bytes);
    element->next = store->free[class];
    store->free[class] = element;
    store->count--;
}

bool store_number_room(struct store *store, struct store_numbers *numbers, uint64_t key) {
    if (key < numbers->count)
        return true;
    if (key >= STORE_NUMBERS || numbers->closed)
        return false;
    uint64_t count = (key / STORE_PAGE + 1) * STORE_PAGE;
    if (lease(store, (count - numbers->count) * sizeof *numbers->numbers))
        numbers->count = count;
    else
        numbers->closed = true;
    return !numbers->closed;
}

void store_clear_numbers(struct store_numbers *numbers) {
    memset(numbers->numbers, 0, numbers->count * sizeof *numbers->numbers);
    numbers->count = 0;
    numbers->closed = false;
}

char *store_object(struct store *store, uint32_t size) {
    uint64_t bytes = ((uint64_t)size + GRAIN - 1) / GRAIN * GRAIN;
    if (!lease(store, bytes))
        return NULL;
    return carve(&store->objects, &store->object_at, &store->object_end, bytes);
}

bool store_has_object(const struct store *store, uint64_t address, uint64_t size) {
    for (const struct store_block *block = store->objects; block; block = block->next) {
        uint64_t first = (uint64_t)(uintptr_t)(block + 1), end = (uint64_t)(uintptr_t)block + block->size;
        if (address >= first && address <= end && size <= end - address)
            return true;
    }
    return false;
}
