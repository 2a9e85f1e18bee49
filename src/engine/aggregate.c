/*
 * aggregate.c: aggregations. Each thread has entries of its own, in chunks of the arena which the consumer
 * reads while they change, and a private table that finds them by their keys.
 */
#include "plan.h"

enum { INDEX_FIRST = 256, RETRY = 1000000 /* nanoseconds until free chunks are looked for again */ };

char *cursor_room(struct engine_thread *thread, struct cursor *cursor, uint32_t *first, uint32_t bytes) {
    struct arena *arena = thread->engine->arena;
    uint32_t capacity = arena_chunk_capacity(arena);
    if (bytes > capacity)
        return NULL;
    if (bytes > cursor->left) {
        if (thread->retry_at && thread_now(thread) < thread->retry_at)
            return NULL;
        uint32_t index = arena_take_chunk(arena, thread->slot_index);
        if (index == ARENA_NO_CHUNK) {
            thread->retry_at = thread_now(thread) + RETRY;
            return NULL;
        }
        thread->retry_at = 0;
        __atomic_store_n(cursor->chunk ? &cursor->chunk->next : first, index, __ATOMIC_RELEASE);
        cursor->chunk = arena_chunk(arena, index);
        cursor->used = 0;
        cursor->left = capacity;
    }
    return (char *)(cursor->chunk + 1) + cursor->used;
}

static bool index_grow(struct engine_thread *thread) {
    uint32_t size = thread->index_size ? thread->index_size * 2 : INDEX_FIRST;
    struct aggregate_slot *index = memory_map(size * sizeof *index);
    if (!index)
        return false;
    for (uint32_t i = 0; i < thread->index_size; i++) {
        if (!thread->index[i].entry)
            continue;
        uint32_t at = thread->index[i].hash & (size - 1);
        while (index[at].entry)
            at = (at + 1) & (size - 1);
        index[at] = thread->index[i];
    }
    memory_unmap(thread->index, thread->index_size * sizeof *index);
    thread->index = index;
    thread->index_size = size;
    return true;
}

void aggregate_close(struct engine_thread *thread) {
    memory_unmap(thread->index, thread->index_size * sizeof *thread->index);
}

/* The values of an aggregation to which nothing was added yet. */
static void start(const struct engine *engine, struct arena_aggregate *entry, uint32_t aggregation) {
    const struct program_aggregation *what = &engine->aggregations[aggregation];
    memset(entry->data, 0, engine->words[aggregation] * sizeof entry->data[0]);
    if (what->function == AGGREGATING_MIN)
        entry->data[0] = INT64_MAX;
    else if (what->function == AGGREGATING_MAX)
        entry->data[0] = INT64_MIN;
}

static struct arena_aggregate *make(struct engine_thread *thread, uint32_t aggregation,
                                    const struct keys *keys) {
    const struct engine *engine = thread->engine;
    uint32_t words = engine->words[aggregation];
    uint64_t size = sizeof(struct arena_aggregate) + 8ULL * words + keys->size;
    uint64_t used = thread->slot->aggregation_bytes;
    if (thread->index_count * 2 >= thread->index_size && !index_grow(thread))
        return NULL;
    if (size > UINT32_MAX || used + size > engine->aggsize)
        return NULL;
    struct cursor *cursor = &thread->aggregation;
    char *room = cursor_room(thread, cursor, &thread->slot->first_aggregation_chunk, (uint32_t)size);
    if (!room)
        return NULL;
    struct arena_aggregate *entry = (struct arena_aggregate *)room;
    *entry = (struct arena_aggregate){
        .size = (uint32_t)size,
        .generation = __atomic_load_n(&engine->arena->generations[aggregation], __ATOMIC_ACQUIRE),
        .aggregation = aggregation,
        .words = words,
        .hash = keys->hash,
        .first_time = thread_now(thread),
    };
    start(engine, entry, aggregation);
    keys_encode(keys, (char *)(entry->data + words));
    __atomic_store_n(&thread->slot->aggregation_bytes, used + size, __ATOMIC_RELAXED);
    return entry;
}

/* Makes a new entry known to the consumer, which then finds its first value in it. */
static void publish(struct engine_thread *thread, uint32_t size) {
    struct cursor *cursor = &thread->aggregation;
    cursor->used += size;
    cursor->left -= size;
    __atomic_store_n(&cursor->chunk->used, cursor->used, __ATOMIC_RELEASE);
}

static void begin_change(struct arena_aggregate *entry) {
    __atomic_store_n(&entry->sequence, entry->sequence | 1, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_RELEASE);
}

static void end_change(struct arena_aggregate *entry) {
    __atomic_store_n(&entry->sequence, (entry->sequence | 1) + 1, __ATOMIC_RELEASE);
}

static void add(int64_t *word, int64_t value) {
    __atomic_store_n(word, (int64_t)((uint64_t)*word + (uint64_t)value), __ATOMIC_RELAXED);
}

static uint32_t quantize_bucket(int64_t value) {
    enum { ZERO = 63 };
    if (!value)
        return ZERO;
    uint64_t magnitude = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    uint32_t power = 63 - (uint32_t)__builtin_clzll(magnitude);
    if (value > 0)
        return ZERO + 1 + power;
    return power < ZERO ? ZERO - 1 - power : 0;
}

static uint32_t lquantize_bucket(const int64_t *parameters, uint32_t words, int64_t value) {
    if (value < parameters[0])
        return 0;
    uint64_t level = ((uint64_t)value - (uint64_t)parameters[0]) / (uint64_t)parameters[2];
    return level < words - 2 ? (uint32_t)level + 1 : words - 1;
}

static uint32_t llquantize_word(const int64_t *parameters, uint32_t words, int64_t value) {
    int32_t bucket = program_llquantize_bucket(parameters, value);
    return bucket < 0 ? words / 2 + (uint32_t)-bucket : (uint32_t)bucket;
}

static void add_square(int64_t *words, int64_t value) {
    __extension__ typedef unsigned __int128 wide;
    uint64_t magnitude = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    wide sum = (wide)(uint64_t)words[1] << 64 | (uint64_t)words[0];
    sum += (wide)magnitude * magnitude;
    words[0] = (int64_t)(uint64_t)sum;
    words[1] = (int64_t)(uint64_t)(sum >> 64);
}

static void update(const struct engine *engine, struct arena_aggregate *entry, uint32_t aggregation,
                   const struct value *values) {
    const struct program_aggregation *what = &engine->aggregations[aggregation];
    uint32_t words = engine->words[aggregation];
    int64_t *data = entry->data;
    int64_t value = values->integer;
    switch ((enum aggregating_function)what->function) {
    case AGGREGATING_COUNT:
        add(data, 1);
        break;
    case AGGREGATING_SUM:
        add(data, value);
        break;
    case AGGREGATING_MIN:
        if (value < data[0])
            __atomic_store_n(data, value, __ATOMIC_RELAXED);
        break;
    case AGGREGATING_MAX:
        if (value > data[0])
            __atomic_store_n(data, value, __ATOMIC_RELAXED);
        break;
    case AGGREGATING_AVG:
    case AGGREGATING_STDDEV:
        begin_change(entry);
        add(data, 1);
        add(data + 1, value);
        if (what->function == AGGREGATING_STDDEV)
            add_square(data + 2, value);
        end_change(entry);
        break;
    case AGGREGATING_QUANTIZE:
        add(data + quantize_bucket(value), values[1].integer);
        break;
    case AGGREGATING_LQUANTIZE:
        add(data + lquantize_bucket(what->parameters, words, value), values[1].integer);
        break;
    case AGGREGATING_LLQUANTIZE:
        add(data + llquantize_word(what->parameters, words, value), values[1].integer);
        break;
    case AGGREGATING_FUNCTIONS:
        break;
    }
}

static void change(const struct engine *engine, struct arena_aggregate *entry, uint32_t aggregation,
                   const struct value *values) {
    uint32_t generation = __atomic_load_n(&engine->arena->generations[aggregation], __ATOMIC_RELAXED);
    if (entry->generation == generation) {
        update(engine, entry, aggregation, values);
        return;
    }
    begin_change(entry);
    start(engine, entry, aggregation);
    __atomic_store_n(&entry->generation, generation, __ATOMIC_RELAXED);
    update(engine, entry, aggregation, values);
    end_change(entry);
}

static struct arena_aggregate *find(const struct engine_thread *thread, uint32_t aggregation,
                                    const struct keys *keys) {
    uint32_t words = thread->engine->words[aggregation];
    for (uint32_t at = keys->hash; thread->index_size; at++) {
        const struct aggregate_slot *slot = &thread->index[at & (thread->index_size - 1)];
        if (!slot->entry)
            break;
        if (slot->hash == keys->hash && slot->id == aggregation && slot->keys_size == keys->size &&
            keys_equal(keys, (const char *)(slot->entry->data + words)))
            return slot->entry;
    }
    return NULL;
}

/* The entry that took the value; NULL: it was dropped. */
static struct arena_aggregate *take(struct engine_thread *thread, uint32_t aggregation,
                                    const struct keys *keys, const struct value *values) {
    const struct engine *engine = thread->engine;
    struct arena_aggregate *entry = find(thread, aggregation, keys);
    if (entry) {
        change(engine, entry, aggregation, values);
        return entry;
    }
    entry = make(thread, aggregation, keys);
    if (!entry) {
        thread_drop(thread, DROP_AGGREGATION);
        return NULL;
    }
    update(engine, entry, aggregation, values);
    publish(thread, (uint32_t)sizeof *entry + 8 * engine->words[aggregation] + keys->size);
    uint32_t at = keys->hash;
    while (thread->index[at & (thread->index_size - 1)].entry)
        at++;
    thread->index[at & (thread->index_size - 1)] =
        (struct aggregate_slot){entry, keys->hash, aggregation, keys->size};
    thread->index_count++;
    return entry;
}

static struct keys keys_of(const struct engine *engine, uint32_t aggregation, struct value *values) {
    const struct program_aggregation *what = &engine->aggregations[aggregation];
    return (struct keys){
        .values = values, .kinds = engine->kinds + what->first_key, .count = what->keys, .id = aggregation};
}

bool aggregate(struct engine_thread *thread, uint32_t aggregation, struct value *values,
               struct value *key_values) {
    struct keys keys = keys_of(thread->engine, aggregation, key_values);
    if (!keys_prepare(&keys))
        return thread_fail(thread, FAULT_BAD_ADDRESS, 0);
    take(thread, aggregation, &keys, values);
    return true;
}

/* The group of a site; empty where it was another's, or where the generation of one may have been raised. */
static struct known_group *known_group(struct engine_thread *thread, uint32_t site) {
    const struct ready *ready = thread->ready;
    uint64_t known = ready->known + site / GROUP_SITES;
    struct known_group *group = (struct known_group *)((char *)thread + ready->known_at) + site / GROUP_SITES;
    if (!aggregate_group_holds(thread, group, known))
        *group = (struct known_group){.known = known,
                                      .raised = __atomic_load_n(&thread->header->raised, __ATOMIC_ACQUIRE)};
    return group;
}

bool aggregate_known(struct engine_thread *thread, uint32_t site, struct value *values) {
    const struct engine *engine = thread->engine;
    const struct ready *ready = thread->ready;
    const struct plan_site *where = &ready->plan->sites[site];
    struct known_group *group = known_group(thread, site);
    struct arena_aggregate **known = &group->entries[site % GROUP_SITES];
    if (*known) {
        change(engine, *known, where->aggregation, values);
        return true;
    }
    struct value key_values[PROGRAM_KEYS_MAX];
    struct keys keys = keys_of(engine, where->aggregation, key_values);
    for (uint32_t i = 0; i < keys.count; i++)
        key_values[i] = ready->pool[where->first_key + i];
    if (!keys_prepare(&keys))
        return thread_fail(thread, FAULT_BAD_ADDRESS, 0);
    *known = take(thread, where->aggregation, &keys, values);
    return true;
}
