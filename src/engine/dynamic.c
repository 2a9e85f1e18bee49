/*
 * dynamic.c: see dynamic.h.
 *
 *      region_header | stripes | buckets | elements ...
 *
 * Places are counted in units of 16 bytes from the region's start; 0 is none. An element belongs to its
 * bucket's stripe; given back, it goes to the stripe's list of its size class. New room comes from the end,
 * by an atomic addition.
 */
#include "dynamic.h"

enum {
    UNIT = 16,
    STRIPES = 16,
    CLASSES = 24,       /* of sizes: 2^class units; an element has at most PROGRAM_SIZE_MAX bytes */
    SPINS = 2000,       /* tries to get a lock */
    STEPS_MAX = 100000, /* of a walk along a chain, which may have been made a ring */
};

struct region_header {
    uint64_t used; /* atomic: units taken from the elements' part */
    uint64_t reserved[7];
};

struct stripe {
    uint32_t lock;          /* atomic: pid of the process that holds it */
    uint32_t free[CLASSES]; /* lists of elements given back */
    uint32_t reserved[7];   /* to two cache lines */
};

struct element {
    uint32_t next;
    uint32_t hash;
    uint32_t id;        /* of the variable */
    uint32_t class;     /* size class */
    uint32_t keys_size; /* bytes */
    uint32_t length;    /* of the value's bytes, which follow the keys */
    char bytes[];
};

/* Where the parts are; computed from what is private. */
struct place {
    struct region_header *header;
    struct stripe *stripes;
    uint32_t *buckets;
    uint32_t bucket_count; /* a power of two, not below STRIPES */
    uint64_t first;        /* unit of the first element */
    uint64_t end;          /* unit behind the last */
};

static uint32_t bucket_count(uint64_t bytes) {
    uint32_t count = STRIPES;
    while (count < 1U << 24 && (uint64_t)count * 128 < bytes)
        count *= 2;
    return count;
}

uint64_t dynamic_size(uint64_t bytes) {
    uint64_t size = sizeof(struct region_header) + STRIPES * sizeof(struct stripe) +
                    sizeof(uint32_t) * bucket_count(bytes) + bytes;
    return (size + 4095) / 4096 * 4096;
}

static struct place place_of(char *base, uint64_t size) {
    struct place place;
    place.header = (struct region_header *)base;
    place.stripes = (struct stripe *)(place.header + 1);
    place.buckets = (uint32_t *)(place.stripes + STRIPES);
    place.bucket_count = bucket_count(size / 2);
    uint64_t head = sizeof(struct region_header) + STRIPES * sizeof(struct stripe) +
                    sizeof(uint32_t) * (uint64_t)place.bucket_count;
    place.first = (head + UNIT - 1) / UNIT;
    place.end = size / UNIT;
    return place;
}

static inline void relax(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static bool lock(struct stripe *stripe, uint32_t pid) {
    for (int i = 0; i < SPINS; i++) {
        uint32_t free = 0;
        if (__atomic_load_n(&stripe->lock, __ATOMIC_RELAXED) == 0 &&
            __atomic_compare_exchange_n(&stripe->lock, &free, pid, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
            return true;
        relax();
    }
    return false;
}

static void unlock(struct stripe *stripe) {
    __atomic_store_n(&stripe->lock, 0, __ATOMIC_RELEASE);
}

static uint64_t class_bytes(uint32_t class) {
    return (uint64_t)UNIT << class;
}

/* The element at a unit, when all of it lies in the region; NULL otherwise. Its class and its sizes agree
   then, and are copied out, as they may change under us. */
static struct element *element_at(const struct place *place, uint32_t unit, struct element *copy) {
    if (unit < place->first || unit + sizeof(struct element) / UNIT + 1 >= place->end)
        return NULL;
    struct element *element = (struct element *)((char *)place->header + (uint64_t)unit * UNIT);
    memcpy(copy, element, sizeof *copy);
    if (copy->class >= CLASSES || unit + (1ULL << copy->class) > place->end ||
        sizeof *copy + (uint64_t)copy->keys_size + copy->length > class_bytes(copy->class))
        return NULL;
    return element;
}

/* An element that was found: where it hangs, and what was read from it. */
struct found {
    uint32_t *link;
    struct element *element;
    struct element copy;
};

static bool find(const struct place *place, const struct keys *keys, struct found *found) {
    found->link = &place->buckets[keys->hash & (place->bucket_count - 1)];
    for (int steps = 0; steps < STEPS_MAX; steps++) {
        found->element = element_at(place, *found->link, &found->copy);
        if (!found->element)
            return false;
        if (found->copy.hash == keys->hash && found->copy.id == keys->id &&
            found->copy.keys_size == keys->size && keys_equal(keys, found->element->bytes))
            return true;
        found->link = &found->element->next;
    }
    return false;
}

static uint32_t class_of(uint64_t bytes) {
    uint32_t class = 0;
    while (class_bytes(class) < bytes)
        class ++;
    return class;
}

/* Room for an element of a class; 0: none. */
static uint32_t take(const struct place *place, struct stripe *stripe, uint32_t class) {
    struct element copy;
    uint32_t unit = stripe->free[class];
    struct element *element = element_at(place, unit, &copy);
    if (element && copy.class == class) {
        stripe->free[class] = copy.next;
        return unit;
    }
    uint64_t units = 1ULL << class, room = place->end - place->first;
    uint64_t used = __atomic_load_n(&place->header->used, __ATOMIC_RELAXED);
    do {
        if (used > room || units > room - used)
            return 0;
    } while (!__atomic_compare_exchange_n(&place->header->used, &used, used + units, true, __ATOMIC_RELAXED,
                                          __ATOMIC_RELAXED));
    uint64_t at = place->first + used;
    return at <= UINT32_MAX ? (uint32_t)at : 0;
}

static void give_back(struct stripe *stripe, const struct found *found, uint32_t unit) {
    *found->link = found->copy.next;
    found->element->next = stripe->free[found->copy.class];
    stripe->free[found->copy.class] = unit;
}

/* Makes an element with the keys, `length` bytes of value not yet set. */
static struct element *make(const struct place *place, struct stripe *stripe, const struct keys *keys,
                            uint32_t length) {
    uint32_t class = class_of(sizeof(struct element) + (uint64_t)keys->size + length);
    uint32_t unit = class < CLASSES ? take(place, stripe, class) : 0;
    if (!unit || unit + (1ULL << class) > place->end)
        return NULL;
    uint32_t *bucket = &place->buckets[keys->hash & (place->bucket_count - 1)];
    struct element *element = (struct element *)((char *)place->header + (uint64_t)unit * UNIT);
    *element = (struct element){*bucket, keys->hash, keys->id, class, keys->size, length};
    keys_encode(keys, element->bytes);
    *bucket = unit;
    return element;
}

static struct stripe *stripe_of(const struct place *place, const struct keys *keys) {
    return &place->stripes[keys->hash & (STRIPES - 1)];
}

enum dynamic_outcome dynamic_read(const struct dynamic *dynamic, const struct keys *keys, char *value,
                                  uint32_t capacity, uint32_t *length) {
    struct place place = place_of(dynamic->base, dynamic->size);
    struct stripe *stripe = stripe_of(&place, keys);
    struct found found;
    if (!lock(stripe, dynamic->pid))
        return DYNAMIC_BUSY;
    bool is = find(&place, keys, &found);
    if (is) {
        *length = found.copy.length < capacity ? found.copy.length : capacity;
        memcpy(value, found.element->bytes + keys->size, *length);
    }
    unlock(stripe);
    return is ? DYNAMIC_DONE : DYNAMIC_ABSENT;
}

enum dynamic_outcome dynamic_write(const struct dynamic *dynamic, const struct keys *keys, const char *value,
                                   uint32_t length) {
    struct place place = place_of(dynamic->base, dynamic->size);
    struct stripe *stripe = stripe_of(&place, keys);
    struct found found;
    if (!lock(stripe, dynamic->pid))
        return DYNAMIC_BUSY;
    struct element *element = NULL;
    if (find(&place, keys, &found)) {
        /* In place when the new value fits. */
        if (sizeof *element + (uint64_t)keys->size + length <= class_bytes(found.copy.class)) {
            element = found.element;
            element->length = length;
        } else {
            give_back(stripe, &found, *found.link);
        }
    }
    if (!element)
        element = make(&place, stripe, keys, length);
    if (element)
        memcpy(element->bytes + keys->size, value, length);
    unlock(stripe);
    return element ? DYNAMIC_DONE : DYNAMIC_FULL;
}

enum dynamic_outcome dynamic_remove(const struct dynamic *dynamic, const struct keys *keys) {
    struct place place = place_of(dynamic->base, dynamic->size);
    struct stripe *stripe = stripe_of(&place, keys);
    struct found found;
    if (!lock(stripe, dynamic->pid))
        return DYNAMIC_BUSY;
    bool is = find(&place, keys, &found);
    if (is)
        give_back(stripe, &found, *found.link);
    unlock(stripe);
    return is ? DYNAMIC_DONE : DYNAMIC_ABSENT;
}

enum dynamic_outcome dynamic_address(const struct dynamic *dynamic, const struct keys *keys, uint32_t length,
                                     char **address) {
    struct place place = place_of(dynamic->base, dynamic->size);
    struct stripe *stripe = stripe_of(&place, keys);
    struct found found;
    if (!lock(stripe, dynamic->pid))
        return DYNAMIC_BUSY;
    struct element *element = NULL;
    if (find(&place, keys, &found)) {
        if (found.copy.length >= length)
            element = found.element;
    } else {
        element = make(&place, stripe, keys, length);
        if (element)
            memset(element->bytes + keys->size, 0, length);
    }
    unlock(stripe);
    if (!element)
        return DYNAMIC_FULL;
    *address = element->bytes + keys->size;
    return DYNAMIC_DONE;
}

void dynamic_break_locks(char *base, uint64_t size, uint32_t pid) {
    struct place place = place_of(base, size);
    for (int i = 0; i < STRIPES; i++) {
        uint32_t holder = pid;
        __atomic_compare_exchange_n(&place.stripes[i].lock, &holder, 0, false, __ATOMIC_RELEASE,
                                    __ATOMIC_RELAXED);
    }
}
