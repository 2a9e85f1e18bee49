/*
 * printa.c: printing aggregations: by a format or in DTrace's default layout, one or several in a line, and
 * at the end those that the program has not printed itself.
 */
#include "histogram.h"
#include "internal.h"

#include <stdlib.h>

size_t printa_ids(const struct consumer *consumer, const struct program_action *action, uint32_t *ids,
                  size_t n) {
    const int64_t *integers = program_entries(consumer->program, SECTION_INTEGERS);
    uint32_t count = program_count(consumer->program, SECTION_INTEGERS);
    size_t taken = 0;
    for (uint32_t i = 0; i < action->aggregations && taken < n; i++) {
        if (action->argument >= count || i >= count - action->argument)
            break;
        int64_t id = integers[action->argument + i];
        if (id >= 0 && id < consumer->aggregations.count)
            ids[taken++] = (uint32_t)id;
    }
    return taken;
}

static bool is_quantizing(const struct aggregation *aggregation) {
    return aggregation->program->function >= AGGREGATING_QUANTIZE;
}

/* The data of a value, or zeros where a key has none in this aggregation. */
static const int64_t *data_of(const struct consumer *consumer, const struct aggregate *aggregate) {
    return aggregate ? aggregate->data : consumer->aggregations.zeros;
}

static void draw(struct consumer *consumer, struct text *out, const struct aggregation *aggregation,
                 const int64_t *data) {
    struct histogram histogram;
    if (!histogram_make(&histogram, aggregation->program, data))
        consumer->aggregations.failed = true;
    histogram_draw(out, &histogram, aggregation->normal, consumer_colored(consumer));
    histogram_free(&histogram);
}

static void print_default(struct consumer *consumer, struct text *out, const uint32_t *ids, size_t n,
                          const struct aggregate_row *row) {
    const struct aggregation *first = &consumer->aggregations.all[ids[0]];
    struct value_style style = record_style(consumer);
    struct cursor cursor = {row->key->key, row->key->key + row->key->key_size};
    struct value key;
    for (uint32_t i = 0; i < first->program->keys; i++)
        if (value_take(&cursor, consumer->program, &first->fields[i], &key))
            value_key(out, &key, &style);
    for (size_t i = 0; i < n; i++) {
        const struct aggregation *aggregation = &consumer->aggregations.all[ids[i]];
        const int64_t *data = data_of(consumer, row->columns[i]);
        if (is_quantizing(aggregation)) {
            draw(consumer, out, aggregation, data);
        } else {
            text_char(out, ' ');
            text_signed(out, aggregate_number(aggregation, data, false), 16);
        }
    }
    text_char(out, '\n');
}

/* The n-th %@ stands for the n-th aggregation; one too many for the last. */
static void print_format(struct consumer *consumer, struct text *out, const struct format *format,
                         const uint32_t *ids, size_t n, const struct aggregate_row *row) {
    const struct aggregation *first = &consumer->aggregations.all[ids[0]];
    struct cursor cursor = {row->key->key, row->key->key + row->key->key_size};
    const struct program_field *field = first->fields, *end = field + first->program->keys;
    size_t column = 0;
    for (size_t i = 0; i < format->count; i++) {
        struct format_part filled = format->parts[i];
        const struct format_part *part = &filled;
        if (!record_take_stars(consumer, &cursor, &field, end, &filled))
            return;
        struct value value = {.kind = FIELD_INTEGER, .is_signed = true, .size = sizeof(int64_t)};
        if (part->text_length) {
            text_bytes(out, part->text, part->text_length);
        } else if (part->conversion->class == CONVERSION_NONE) {
            text_char(out, '%');
        } else if (part->aggregation) {
            const struct aggregation *aggregation = &consumer->aggregations.all[ids[column]];
            const int64_t *data = data_of(consumer, row->columns[column]);
            column += column + 1 < n;
            if (is_quantizing(aggregation)) {
                draw(consumer, out, aggregation, data);
            } else {
                value.integer = aggregate_number(aggregation, data, true);
                value_convert(out, part, &value);
            }
        } else if (field < end) {
            if (value_take(&cursor, consumer->program, field++, &value))
                value_convert(out, part, &value);
        }
    }
}

static void print_all(struct consumer *consumer, struct text *out, const struct format *format,
                      const uint32_t *ids, size_t n) {
    size_t count;
    struct aggregate_row *rows = aggregations_joined(&consumer->aggregations, ids, n, &count);
    if (!rows) {
        consumer->aggregations.failed = true;
        return;
    }
    for (size_t i = 0; i < count; i++)
        if (format->count)
            print_format(consumer, out, format, ids, n, &rows[i]);
        else
            print_default(consumer, out, ids, n, &rows[i]);
    free(rows);
}

void printa_do(struct consumer *consumer, struct text *out, const struct program_action *action) {
    const struct program_action *actions = program_entries(consumer->program, SECTION_ACTIONS);
    const struct format *format = &consumer->formats[action - actions];
    uint32_t ids[UINT8_MAX];
    size_t n = printa_ids(consumer, action, ids, UINT8_MAX);
    if (n == 0)
        return;
    for (size_t i = 0; i < n; i++)
        consumer->aggregations.all[ids[i]].printed = true;
    consumer_snapshot(consumer);
    if (!format->count)
        text_char(out, '\n');
    print_all(consumer, out, format, ids, n);
}

void printa_rest(struct consumer *consumer) {
    static const struct format none;
    uint32_t count = consumer->aggregations.count;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t id = consumer->options[OPTION_AGGSORTREV] ? count - 1 - i : i;
        if (!consumer->aggregations.all[id].printed)
            print_all(consumer, &consumer->text, &none, &id, 1);
    }
}
