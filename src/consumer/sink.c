/*
 * sink.c: the output as values, for who makes something else of it than lines: settings.sink.
 */
#include "internal.h"

#include <errno.h>
#include <stdlib.h>

enum {
    VALUES_MAX = 32, /* of a printf, or a key; what is behind them is left out */
    COLUMNS_MAX = 8, /* aggregations of a printa, likewise */
};

/* The sink has said that it cannot go on. */
static void give_up(struct consumer *consumer) {
    consumer->error = errno ? errno : EIO;
    consumer->sink_failed = true;
}

static const char *format_of(const struct consumer *consumer, const struct program_action *action) {
    return program_string(consumer->program, action->format);
}

static bool take_printf(struct consumer *consumer, const struct program_action *action,
                        struct firing *firing) {
    const struct program_field *fields = program_entries(consumer->program, SECTION_FIELDS);
    struct value values[VALUES_MAX], extra;
    size_t count = action->fields < VALUES_MAX ? action->fields : VALUES_MAX;
    for (size_t i = 0; i < action->fields; i++)
        if (!value_take(&firing->cursor, consumer->program, &fields[action->first_field + i],
                        i < count ? &values[i] : &extra))
            return false;
    struct consumer_record record = {
        .time = firing->record->timestamp,
        .pid = firing->record->pid,
        .tid = firing->record->tid,
        .format = format_of(consumer, action),
        .values = values,
        .count = count,
    };
    const struct consumer_sink *sink = consumer->settings.sink;
    errno = 0;
    if (!sink->record(sink->context, &record))
        give_up(consumer);
    return true;
}

static void take_row(struct consumer *consumer, const struct program_action *action, const uint32_t *ids,
                     size_t n, const struct aggregate_row *line) {
    const struct aggregation *first = &consumer->aggregations.all[ids[0]];
    struct cursor cursor = {line->key->key, line->key->key + line->key->key_size};
    struct value keys[VALUES_MAX];
    struct histogram histograms[COLUMNS_MAX] = {{0}};
    int64_t numbers[COLUMNS_MAX] = {0};
    struct consumer_row row = {.format = format_of(consumer, action),
                               .keys = keys,
                               .numbers = numbers,
                               .histograms = histograms,
                               .count = n};
    while (row.key_count < first->program->keys && row.key_count < VALUES_MAX &&
           value_take(&cursor, consumer->program, &first->fields[row.key_count], &keys[row.key_count]))
        row.key_count++;
    for (size_t i = 0; i < n; i++) {
        const struct aggregation *aggregation = &consumer->aggregations.all[ids[i]];
        const int64_t *data = line->columns[i] ? line->columns[i]->data : consumer->aggregations.zeros;
        if (aggregation->program->function < AGGREGATING_QUANTIZE)
            numbers[i] = aggregate_number(aggregation, data, true);
        else if (!histogram_make(&histograms[i], aggregation->program, data))
            consumer->aggregations.failed = true;
    }
    const struct consumer_sink *sink = consumer->settings.sink;
    errno = 0;
    if (!sink->row(sink->context, &row))
        give_up(consumer);
    for (size_t i = 0; i < n; i++)
        histogram_free(&histograms[i]);
}

static bool take_printa(struct consumer *consumer, const struct program_action *action,
                        struct firing *firing) {
    uint32_t ids[COLUMNS_MAX];
    size_t count = 0, n = printa_ids(consumer, action, ids, COLUMNS_MAX);
    consumer_snapshot(consumer);
    struct aggregate_row *rows = NULL;
    if (n > 0 && consumer->settings.sink->row) {
        rows = aggregations_joined(&consumer->aggregations, ids, n, &count);
        consumer->aggregations.failed |= !rows;
    }
    for (size_t i = 0; i < count && !consumer->sink_failed; i++)
        take_row(consumer, action, ids, n, &rows[i]);
    free(rows);
    return record_effect(consumer, action, firing);
}

/* By action; the others print nothing, or what they print is left out. */
static bool (*const takers[ACTION_COUNT])(struct consumer *, const struct program_action *,
                                          struct firing *) = {
    [ACTION_PRINTF] = take_printf,
    [ACTION_PRINTA] = take_printa,
};

void sink_record(struct consumer *consumer, struct firing *firing) {
    const struct program_action *actions = program_entries(consumer->program, SECTION_ACTIONS);
    bool whole = true;
    for (uint32_t i = 0; i < firing->clause->actions && whole && !consumer->sink_failed; i++) {
        const struct program_action *action = &actions[firing->clause->first_action + i];
        bool taken = action->kind < ACTION_COUNT && takers[action->kind];
        whole = (taken ? takers[action->kind] : record_effect)(consumer, action, firing);
    }
    firing->stream->damaged |= !whole;
}
