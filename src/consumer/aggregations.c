/*
 * aggregations.c: collecting the entries that the threads of all processes have in the arena, by key.
 *
 * clear() of what can be subtracted keeps as base the negative of the value last printed, so that nothing is
 * lost of what the threads add meanwhile. min() and max() cannot be subtracted, and trunc() must forget keys:
 * they raise the aggregation's generation, upon which the threads start anew.
 */
#include "aggregations.h"

#include "histogram.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

static bool is_extreme(const struct aggregation *aggregation) {
    return aggregation->program->function == AGGREGATING_MIN ||
           aggregation->program->function == AGGREGATING_MAX;
}

/* What an entry without any update would have. */
static int64_t neutral(const struct aggregation *aggregation) {
    switch (aggregation->program->function) {
    case AGGREGATING_MIN:
        return INT64_MAX;
    case AGGREGATING_MAX:
        return INT64_MIN;
    default:
        return 0;
    }
}

static void set_neutral(const struct aggregation *aggregation, int64_t *data) {
    for (uint32_t i = 0; i < aggregation->words; i++)
        data[i] = neutral(aggregation);
}

typedef unsigned __int128 uint128;

static uint128 squares(const int64_t *data) {
    return (uint128)(uint64_t)data[3] << 64 | (uint64_t)data[2];
}

static void set_squares(int64_t *data, uint128 sum) {
    data[2] = (int64_t)(uint64_t)sum;
    data[3] = (int64_t)(uint64_t)(sum >> 64);
}

static int64_t wrapping_add(int64_t a, int64_t b) {
    return (int64_t)((uint64_t)a + (uint64_t)b);
}

/* to += from, or -= */
static void combine(const struct aggregation *aggregation, int64_t *to, const int64_t *from, bool subtract) {
    switch (aggregation->program->function) {
    case AGGREGATING_MIN:
        *to = *from < *to ? *from : *to;
        return;
    case AGGREGATING_MAX:
        *to = *from > *to ? *from : *to;
        return;
    default:
        break;
    }
    bool has_squares = aggregation->program->function == AGGREGATING_STDDEV;
    uint128 sum = has_squares ? subtract ? squares(to) - squares(from) : squares(to) + squares(from) : 0;
    for (uint32_t i = 0; i < aggregation->words; i++)
        to[i] = wrapping_add(to[i], subtract ? (int64_t)(0 - (uint64_t)from[i]) : from[i]);
    if (has_squares)
        set_squares(to, sum);
}

static uint64_t hash_bytes(const char *bytes, size_t n) {
    uint64_t hash = 14695981039346656037ULL;
    for (size_t i = 0; i < n; i++)
        hash = (hash ^ (unsigned char)bytes[i]) * 1099511628211ULL;
    return hash ^ hash >> 29;
}

static bool grow_table(struct aggregation *aggregation) {
    size_t size = aggregation->table_size ? 2 * aggregation->table_size : 64;
    size_t *table = calloc(size, sizeof *table);
    if (!table)
        return false;
    for (size_t i = 0; i < aggregation->count; i++) {
        size_t at = aggregation->aggregates[i]->hash & (size - 1);
        while (table[at])
            at = (at + 1) & (size - 1);
        table[at] = i + 1;
    }
    free(aggregation->table);
    aggregation->table = table;
    aggregation->table_size = size;
    return true;
}

static bool grow(struct aggregation *aggregation) {
    if (aggregation->count == aggregation->capacity) {
        size_t capacity = aggregation->capacity ? 2 * aggregation->capacity : 32;
        struct aggregate **aggregates =
            realloc(aggregation->aggregates, capacity * sizeof *aggregation->aggregates);
        if (!aggregates)
            return false;
        aggregation->aggregates = aggregates;
        aggregation->capacity = capacity;
    }
    return 2 * (aggregation->count + 1) <= aggregation->table_size || grow_table(aggregation);
}

/* The aggregate of a key; NULL: there is none (or, with `make`, out of memory). */
static struct aggregate *find(struct aggregation *aggregation, const char *key, uint32_t key_size,
                              bool make) {
    uint64_t hash = hash_bytes(key, key_size);
    size_t mask = aggregation->table_size - 1, at = hash & mask;
    for (; aggregation->table_size && aggregation->table[at]; at = (at + 1) & mask) {
        struct aggregate *aggregate = aggregation->aggregates[aggregation->table[at] - 1];
        if (aggregate->hash == hash && aggregate->key_size == key_size &&
            memcmp(aggregate->key, key, key_size) == 0)
            return aggregate;
    }
    if (!make || !grow(aggregation))
        return NULL;

    size_t data_size = aggregation->words * sizeof(int64_t);
    struct aggregate *aggregate = calloc(1, sizeof *aggregate + 2 * data_size + key_size);
    if (!aggregate)
        return NULL;
    aggregate->hash = hash;
    aggregate->data = (int64_t *)(aggregate + 1);
    aggregate->base = aggregate->data + aggregation->words;
    aggregate->key = (char *)(aggregate->base + aggregation->words);
    aggregate->key_size = key_size;
    memcpy(aggregate->key, key, key_size);
    set_neutral(aggregation, aggregate->data);
    set_neutral(aggregation, aggregate->base);
    for (at = hash & (aggregation->table_size - 1); aggregation->table[at];)
        at = (at + 1) & (aggregation->table_size - 1);
    aggregation->aggregates[aggregation->count++] = aggregate;
    aggregation->table[at] = aggregation->count;
    return aggregate;
}

/* Checks the key of an entry and writes it to `key` so that equal keys have equal bytes: texts without what
   is behind their end, integers as their types hold them. Returns its size, UINT32_MAX if it is damaged. */
static uint32_t normalize_key(const struct aggregations *aggregations, const struct aggregation *aggregation,
                              const char *bytes, size_t n, char *key) {
    struct cursor cursor = {bytes, bytes + n};
    char *to = key;
    for (uint32_t i = 0; i < aggregation->program->keys; i++) {
        struct value value;
        if (!value_take(&cursor, aggregations->program, &aggregation->fields[i], &value))
            return UINT32_MAX;
        if (value.kind == FIELD_INTEGER) {
            memcpy(to, &value.integer, sizeof value.integer);
            to += sizeof value.integer;
            continue;
        }
        uint32_t size = (uint32_t)((value.length + sizeof value.length + 1 + 7) & ~(size_t)7);
        memcpy(to, &value.length, sizeof value.length);
        memcpy(to + sizeof value.length, value.bytes, value.length);
        memset(to + sizeof value.length + value.length, 0, size - sizeof value.length - value.length);
        to += size;
    }
    return (uint32_t)(to - key);
}

/* Copies an entry's data, all of one moment unless its writer was killed in the middle of an update. */
static void copy_data(const struct arena_aggregate *entry, uint32_t words, int64_t *data) {
    enum { TRIES = 1000 };
    for (unsigned i = 0; i < TRIES; i++) {
        uint32_t before = __atomic_load_n(&entry->sequence, __ATOMIC_ACQUIRE);
        for (uint32_t k = 0; k < words; k++)
            data[k] = __atomic_load_n(&entry->data[k], __ATOMIC_RELAXED);
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        if (!(before & 1) && __atomic_load_n(&entry->sequence, __ATOMIC_RELAXED) == before)
            return;
    }
}

static uint32_t generation(const struct aggregations *aggregations, uint32_t id) {
    return __atomic_load_n(&aggregations->arena->generations[id], __ATOMIC_ACQUIRE);
}

/* Adds an entry to `data` of its key, or to its base. `size` bytes of it are in the chunk. */
static void add_entry(struct aggregations *aggregations, const struct arena_aggregate *entry, uint32_t size,
                      bool to_base) {
    uint32_t id = __atomic_load_n(&entry->aggregation, __ATOMIC_RELAXED);
    if (id >= aggregations->count)
        return;
    struct aggregation *aggregation = &aggregations->all[id];
    size_t header = sizeof *entry + aggregation->words * sizeof(int64_t);
    if (__atomic_load_n(&entry->words, __ATOMIC_RELAXED) != aggregation->words || size < header ||
        __atomic_load_n(&entry->generation, __ATOMIC_ACQUIRE) != generation(aggregations, id))
        return;

    char *copy = aggregations->scratch, *key = copy + aggregations->arena->shape.chunk_size;
    int64_t *data = (int64_t *)(void *)(key + aggregations->arena->shape.chunk_size);
    memcpy(copy, (const char *)entry + header, size - header);
    uint32_t key_size = normalize_key(aggregations, aggregation, copy, size - header, key);
    if (key_size == UINT32_MAX)
        return;
    copy_data(entry, aggregation->words, data);
    if (__atomic_load_n(&entry->generation, __ATOMIC_RELAXED) != generation(aggregations, id))
        return;
    struct aggregate *aggregate = find(aggregation, key, key_size, true);
    if (!aggregate) {
        aggregations->failed = true;
        return;
    }
    combine(aggregation, to_base ? aggregate->base : aggregate->data, data, false);
    aggregate->present = true;
    aggregate->kept |= to_base;
}

static void add_slot(struct aggregations *aggregations, uint32_t index, bool to_base) {
    struct arena *arena = aggregations->arena;
    struct arena_slot *slot = arena_slot(arena, index);
    if (__atomic_load_n(&slot->owner, __ATOMIC_ACQUIRE) == 0)
        return;
    uint32_t chunk = __atomic_load_n(&slot->first_aggregation_chunk, __ATOMIC_ACQUIRE);
    for (uint64_t steps = 0; steps < arena->shape.chunks; steps++) {
        const struct arena_chunk *at = arena_chunk(arena, chunk);
        if (!at || __atomic_load_n(&arena->owners[chunk - 1], __ATOMIC_ACQUIRE) != index + 1)
            return;
        uint32_t capacity = arena_chunk_capacity(arena), used = __atomic_load_n(&at->used, __ATOMIC_ACQUIRE);
        used = used < capacity ? used : capacity;
        for (uint32_t offset = 0; used - offset >= sizeof(struct arena_aggregate);) {
            const struct arena_aggregate *entry =
                (const struct arena_aggregate *)(const void *)((const char *)(at + 1) + offset);
            uint32_t size = __atomic_load_n(&entry->size, __ATOMIC_RELAXED);
            if (size < sizeof *entry || size % 8 != 0 || size > used - offset)
                break;
            add_entry(aggregations, entry, size, to_base);
            offset += size;
        }
        chunk = __atomic_load_n(&at->next, __ATOMIC_ACQUIRE);
    }
}

void aggregations_snapshot(struct aggregations *aggregations) {
    for (uint32_t id = 0; id < aggregations->count; id++) {
        struct aggregation *aggregation = &aggregations->all[id];
        for (size_t i = 0; i < aggregation->count; i++) {
            struct aggregate *aggregate = aggregation->aggregates[i];
            memcpy(aggregate->data, aggregate->base, aggregation->words * sizeof *aggregate->data);
            aggregate->present = aggregate->kept;
        }
    }
    if (aggregations->count)
        for (uint32_t slot = 0; slot < aggregations->slots; slot++)
            add_slot(aggregations, slot, false);
}

void aggregations_harvest(struct aggregations *aggregations, uint32_t slot) {
    if (aggregations->count)
        add_slot(aggregations, slot, true);
}

void aggregations_clear(struct aggregations *aggregations, uint32_t id) {
    struct aggregation *aggregation = &aggregations->all[id];
    if (is_extreme(aggregation))
        arena_raise_generation(aggregations->arena, id);
    for (size_t i = 0; i < aggregation->count; i++) {
        struct aggregate *aggregate = aggregation->aggregates[i];
        if (!aggregate->present)
            continue;
        if (is_extreme(aggregation))
            set_neutral(aggregation, aggregate->base);
        else
            combine(aggregation, aggregate->base, aggregate->data, true);
        set_neutral(aggregation, aggregate->data);
        aggregate->kept = true;
    }
}

/* Sorting: each returns less than, equal to or more than 0. */

static int compare_signed(int64_t a, int64_t b) {
    return (a > b) - (a < b);
}

static int compare_unsigned(uint64_t a, uint64_t b) {
    return (a > b) - (a < b);
}

static int compare_values(const struct value *a, const struct value *b) {
    if (a->kind == FIELD_INTEGER)
        return compare_unsigned(value_unsigned(a), value_unsigned(b));
    uint32_t shorter = a->length < b->length ? a->length : b->length;
    int order = memcmp(a->bytes, b->bytes, shorter);
    return order ? order : compare_unsigned(a->length, b->length);
}

static void take_keys(const struct aggregations *aggregations, const struct aggregation *aggregation,
                      const struct aggregate *aggregate, struct value values[PROGRAM_KEYS_MAX]) {
    struct cursor cursor = {aggregate->key, aggregate->key + aggregate->key_size};
    for (uint32_t i = 0; i < aggregation->program->keys; i++)
        value_take(&cursor, aggregations->program, &aggregation->fields[i], &values[i]);
}

static int compare_keys(const struct aggregations *aggregations, const struct aggregation *aggregation,
                        const struct aggregate *a, const struct aggregate *b) {
    uint32_t keys = aggregation->program->keys;
    int64_t first = aggregations->options[OPTION_AGGSORTKEYPOS];
    struct value of_a[PROGRAM_KEYS_MAX], of_b[PROGRAM_KEYS_MAX];
    take_keys(aggregations, aggregation, a, of_a);
    take_keys(aggregations, aggregation, b, of_b);
    if (first < 0 || first >= keys)
        first = 0;
    for (uint32_t i = 0; i < keys; i++) {
        uint32_t at = (i + (uint32_t)first) % keys;
        int order = compare_values(&of_a[at], &of_b[at]);
        if (order)
            return order;
    }
    return 0;
}

static uint64_t square_root(uint128 value) {
    uint128 root = 0;
    for (uint128 bit = (uint128)1 << 126; bit; bit >>= 2) {
        if (value >= root + bit) {
            value -= root + bit;
            root = (root >> 1) + bit;
        } else {
            root >>= 1;
        }
    }
    return (uint64_t)root;
}

/* DTrace divides without a sign here and with one there, which shows with negative values. */
static int64_t divide(int64_t a, uint64_t normal, bool is_signed) {
    if (normal == 1)
        return a;
    if (!is_signed)
        return (int64_t)((uint64_t)a / normal);
    return (int64_t)normal == -1 ? (int64_t)(0 - (uint64_t)a) : a / (int64_t)normal;
}

/* The root of the average of the squares less the square of the average, in whole numbers throughout. The
   squares are divided by the normal once, as DTrace does it. */
static int64_t deviation(const int64_t *data, uint64_t normal) {
    if (data[0] == 0)
        return 0;
    uint128 count = (uint64_t)data[0];
    int64_t average = divide(data[1], normal, true) / data[0];
    uint128 size = average < 0 ? 0 - (uint64_t)average : (uint64_t)average;
    uint128 mean_square = squares(data) / normal / count;
    return mean_square > size * size ? (int64_t)square_root(mean_square - size * size) : 0;
}

int64_t aggregate_number(const struct aggregation *aggregation, const int64_t *data, bool formatted) {
    switch (aggregation->program->function) {
    case AGGREGATING_AVG:
        return data[0] ? divide(data[1], aggregation->normal, !formatted) / data[0] : 0;
    case AGGREGATING_STDDEV:
        return deviation(data, aggregation->normal);
    default:
        return divide(data[0], aggregation->normal, formatted);
    }
}

static bool is_quantizing(const struct aggregation *aggregation) {
    return aggregation->program->function >= AGGREGATING_QUANTIZE;
}

static int compare_data(const struct aggregation *aggregation, const int64_t *a, const int64_t *b) {
    if (is_quantizing(aggregation)) {
        int64_t zero_a, zero_b;
        long double total_a = histogram_total(aggregation->program, a, &zero_a);
        long double total_b = histogram_total(aggregation->program, b, &zero_b);
        return total_a != total_b ? (total_a > total_b ? 1 : -1) : compare_signed(zero_a, zero_b);
    }
    struct aggregation plain = *aggregation;
    plain.normal = 1;
    return compare_signed(aggregate_number(&plain, a, true), aggregate_number(&plain, b, true));
}

static int compare(const struct aggregations *aggregations, const struct aggregation *aggregation,
                   const struct aggregate *a, const struct aggregate *b) {
    int by_key = compare_keys(aggregations, aggregation, a, b), order;
    if (aggregations->options[OPTION_AGGSORTKEY] && by_key)
        order = by_key;
    else
        order = compare_data(aggregation, a->data, b->data);
    order = order ? order : by_key;
    return aggregations->options[OPTION_AGGSORTREV] ? -order : order;
}

/* The C library's qsort has no context everywhere, and this one is stable. */
static void merge_sort(const void **items, const void **spare, size_t n, const void *context,
                       int (*compare_items)(const void *context, const void *a, const void *b)) {
    if (n < 2)
        return;
    size_t half = n / 2, left = 0, right = half;
    merge_sort(items, spare, half, context, compare_items);
    merge_sort(items + half, spare, n - half, context, compare_items);
    for (size_t i = 0; i < n; i++) {
        bool from_left =
            right == n || (left < half && compare_items(context, items[left], items[right]) <= 0);
        spare[i] = items[from_left ? left++ : right++];
    }
    memcpy(items, spare, n * sizeof *items);
}

struct sorting {
    const struct aggregations *aggregations;
    const struct aggregation *aggregation;
    const uint32_t *ids; /* of joined ones */
    size_t n, first;     /* how many; the one that is sorted by */
};

static int compare_one(const void *context, const void *a, const void *b) {
    const struct sorting *sorting = context;
    return compare(sorting->aggregations, sorting->aggregation, a, b);
}

const struct aggregate **aggregation_sorted(const struct aggregations *aggregations, uint32_t id,
                                            size_t *count) {
    const struct aggregation *aggregation = &aggregations->all[id];
    *count = 0;
    const void **items = malloc((2 * aggregation->count + 1) * sizeof *items);
    if (!items)
        return NULL;
    for (size_t i = 0; i < aggregation->count; i++)
        if (aggregation->aggregates[i]->present)
            items[(*count)++] = aggregation->aggregates[i];
    struct sorting sorting = {.aggregations = aggregations, .aggregation = aggregation};
    merge_sort(items, items + aggregation->count, *count, &sorting, compare_one);
    return (const struct aggregate **)(void *)items;
}

/* What has been added to a key that is to be forgotten since `before`; false: nothing. */
static bool has_news(const struct aggregation *aggregation, struct aggregate *aggregate,
                     const int64_t *before) {
    if (memcmp(aggregate->data, before, aggregation->words * sizeof *before) == 0)
        return false;
    if (!is_extreme(aggregation)) /* a new least or greatest value is all that counts */
        combine(aggregation, aggregate->data, before, true);
    return true;
}

/* The threads go on while it is decided what to forget. So the arena is read once more just before they are
   told to start anew, and what is new since the snapshot stays. */
void aggregations_truncate(struct aggregations *aggregations, uint32_t id, int64_t keep) {
    struct aggregation *aggregation = &aggregations->all[id];
    size_t count, size = aggregation->words * sizeof(int64_t);
    size_t wanted = keep < 0 ? 0 - (uint64_t)keep : (uint64_t)keep;
    const struct aggregate **sorted = aggregation_sorted(aggregations, id, &count);
    int64_t *before = malloc(count * size + 1);
    if (!sorted || !before) {
        aggregations->failed = true;
        free(sorted);
        free(before);
        return;
    }
    size_t first = keep > 0 && wanted < count ? count - wanted : 0;
    size_t end = keep < 0 && wanted < count ? wanted : keep == 0 ? 0 : count;
    for (size_t i = 0; i < count; i++)
        memcpy(before + i * aggregation->words, sorted[i]->data, size);

    aggregations_snapshot(aggregations);
    arena_raise_generation(aggregations->arena, id);
    for (size_t i = 0; i < count; i++) {
        struct aggregate *aggregate = (struct aggregate *)sorted[i];
        bool stays = i >= first && i < end;
        aggregate->present = stays || has_news(aggregation, aggregate, before + i * aggregation->words);
    }
    for (size_t i = 0; i < aggregation->count; i++) {
        struct aggregate *aggregate = aggregation->aggregates[i];
        aggregate->kept = aggregate->present;
        if (!aggregate->present)
            set_neutral(aggregation, aggregate->data);
        memcpy(aggregate->base, aggregate->data, size);
    }
    free(sorted);
    free(before);
}

static int compare_rows(const void *context, const void *a, const void *b) {
    const struct sorting *sorting = context;
    const struct aggregations *all = sorting->aggregations;
    const struct aggregate_row *row_a = a, *row_b = b;
    const struct aggregation *first = &all->all[sorting->ids[0]];
    int by_key = compare_keys(all, first, row_a->key, row_b->key), order = 0;
    if (all->options[OPTION_AGGSORTKEY])
        order = by_key;
    for (size_t i = 0; i < sorting->n && !order; i++) {
        size_t at = i == 0 ? sorting->first : i <= sorting->first ? i - 1 : i; /* that one, then the others */
        const int64_t *of_a = row_a->columns[at] ? row_a->columns[at]->data : all->zeros;
        const int64_t *of_b = row_b->columns[at] ? row_b->columns[at]->data : all->zeros;
        order = compare_data(&all->all[sorting->ids[at]], of_a, of_b);
    }
    order = order ? order : by_key;
    return all->options[OPTION_AGGSORTREV] ? -order : order;
}

struct aggregate_row *aggregations_joined(const struct aggregations *aggregations, const uint32_t *ids,
                                          size_t n, size_t *count) {
    size_t most = 0;
    *count = 0;
    for (size_t i = 0; i < n; i++)
        most += aggregations->all[ids[i]].count;
    /* The rows, their columns, and the pointers for sorting, in one block. */
    size_t row_size = 2 * sizeof(struct aggregate_row) + n * sizeof(struct aggregate *) + 2 * sizeof(void *);
    struct aggregate_row *rows = calloc(most + 1, row_size);
    if (!rows)
        return NULL;
    struct aggregate_row *unsorted = rows + most;
    const struct aggregate **columns = (const struct aggregate **)(void *)(unsorted + most);
    const void **items = (const void **)(void *)(columns + n * most);

    for (size_t i = 0; i < n; i++) {
        const struct aggregation *aggregation = &aggregations->all[ids[i]];
        for (size_t k = 0; k < aggregation->count; k++) {
            const struct aggregate *aggregate = aggregation->aggregates[k];
            bool seen = false; /* in an aggregation before this one, where its row was made */
            for (size_t j = 0; j < i && aggregate->present && !seen; j++) {
                const struct aggregate *other =
                    find(&aggregations->all[ids[j]], aggregate->key, aggregate->key_size, false);
                seen = other && other->present;
            }
            if (!aggregate->present || seen)
                continue;
            struct aggregate_row *row = &unsorted[*count];
            *row = (struct aggregate_row){aggregate, columns + *count * n};
            for (size_t j = i; j < n; j++) {
                const struct aggregate *other =
                    find(&aggregations->all[ids[j]], aggregate->key, aggregate->key_size, false);
                row->columns[j] = other && other->present ? other : NULL;
            }
            items[(*count)++] = row;
        }
    }
    int64_t first = aggregations->options[OPTION_AGGSORTPOS];
    struct sorting sorting = {.aggregations = aggregations, .ids = ids, .n = n};
    sorting.first = first >= 0 && (size_t)first < n ? (size_t)first : 0;
    merge_sort(items, items + most, *count, &sorting, compare_rows);
    for (size_t i = 0; i < *count; i++)
        rows[i] = *(const struct aggregate_row *)items[i];
    return rows;
}

bool aggregations_open(struct aggregations *aggregations, const struct program_header *program,
                       struct arena *arena, int64_t options[OPTION_COUNT]) {
    const struct program_aggregation *all = program_entries(program, SECTION_AGGREGATIONS);
    const struct program_field *fields = program_entries(program, SECTION_FIELDS);
    *aggregations = (struct aggregations){.program = program, .arena = arena, .options = options};
    uint32_t count = program_count(program, SECTION_AGGREGATIONS), most_words = 0;
    if (count > arena->shape.aggregations)
        return false;
    aggregations->all = calloc(count + 1, sizeof *aggregations->all);
    if (!aggregations->all)
        return false;
    for (uint32_t id = 0; id < count; id++) {
        uint32_t words = program_aggregation_words(&all[id]);
        most_words = words > most_words ? words : most_words;
        aggregations->all[id] = (struct aggregation){.program = &all[id],
                                                     .fields = fields + all[id].first_field,
                                                     .id = id,
                                                     .words = words,
                                                     .normal = 1};
    }
    aggregations->count = count;
    aggregations->scratch = malloc(2 * arena->shape.chunk_size + most_words * sizeof(int64_t));
    aggregations->zeros = calloc(most_words + 1, sizeof *aggregations->zeros);
    return aggregations->scratch && aggregations->zeros;
}

void aggregations_close(struct aggregations *aggregations) {
    for (uint32_t id = 0; id < aggregations->count; id++) {
        struct aggregation *aggregation = &aggregations->all[id];
        for (size_t i = 0; i < aggregation->count; i++)
            free(aggregation->aggregates[i]);
        free(aggregation->aggregates);
        free(aggregation->table);
    }
    free(aggregations->all);
    free(aggregations->scratch);
    free(aggregations->zeros);
    *aggregations = (struct aggregations){0};
}
