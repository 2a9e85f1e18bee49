/*
 * histogram.c: the buckets of the quantizing functions in the order of their values, and their drawing.
 */
#include "histogram.h"

#include <stdlib.h>

enum {
    QUANTIZE_ZERO = 63, /* the bucket of 0; see struct arena_aggregate */
    BAR = 40,           /* columns */
};

static const char around_zero[] = "abs() < ";
static const char bold[] = "\033[1m", blue[] = "\033[34m", plain[] = "\033[0m";

/* How a function's buckets, in the order of their values, lie in the data and what they are called. */
struct shape {
    const struct program_aggregation *aggregation;
    size_t buckets;
    size_t around; /* with no data at all, three rows are shown from here on */
    size_t (*index)(const struct shape *shape, size_t bucket);
    struct histogram_row (*label)(const struct shape *shape, size_t bucket);
    int64_t (*middle)(const struct shape *shape, size_t bucket); /* the value that it counts for in a sum */
};

static size_t same_index(const struct shape *shape, size_t bucket) {
    (void)shape;
    return bucket;
}

static int64_t quantize_value(const struct shape *shape, size_t bucket) {
    (void)shape;
    if (bucket == QUANTIZE_ZERO)
        return 0;
    return bucket > QUANTIZE_ZERO ? (int64_t)1 << (bucket - QUANTIZE_ZERO - 1)
                                  : -((int64_t)1 << (QUANTIZE_ZERO - 1 - bucket));
}

static struct histogram_row quantize_label(const struct shape *shape, size_t bucket) {
    return (struct histogram_row){.prefix = "", .label = quantize_value(shape, bucket)};
}

static struct histogram_row lquantize_label(const struct shape *shape, size_t bucket) {
    int64_t base = shape->aggregation->parameters[0], step = shape->aggregation->parameters[2];
    if (bucket == 0)
        return (struct histogram_row){.prefix = "< ", .label = base};
    const char *prefix = bucket == shape->buckets - 1 ? ">= " : "";
    return (struct histogram_row){.prefix = prefix, .label = base + (int64_t)(bucket - 1) * step};
}

static int64_t lquantize_value(const struct shape *shape, size_t bucket) {
    int64_t base = shape->aggregation->parameters[0], step = shape->aggregation->parameters[2];
    if (bucket == 0)
        return base - 1;
    int64_t value = base + (int64_t)(bucket - 1) * step;
    return bucket == shape->buckets - 1 ? value + 1 : value;
}

/* The data begin with the bucket around zero, then go upwards, then downwards. */
static size_t llquantize_index(const struct shape *shape, size_t bucket) {
    size_t side = shape->buckets / 2;
    return bucket >= side ? bucket - side : 2 * side - bucket;
}

static int64_t llquantize_value(const struct shape *shape, size_t bucket) {
    size_t side = shape->buckets / 2;
    const int64_t *parameters = shape->aggregation->parameters;
    if (bucket == side)
        return 0;
    return bucket > side ? program_llquantize_bound(parameters, (uint32_t)(bucket - side))
                         : -program_llquantize_bound(parameters, (uint32_t)(side - bucket));
}

static struct histogram_row llquantize_label(const struct shape *shape, size_t bucket) {
    size_t side = shape->buckets / 2;
    struct histogram_row row = {.prefix = "", .label = llquantize_value(shape, bucket)};
    if (bucket == 0)
        row.prefix = "<= ";
    else if (bucket == shape->buckets - 1)
        row.prefix = ">= ";
    else if (bucket == side && shape->aggregation->parameters[1] > 0)
        row = (struct histogram_row){.prefix = around_zero, .label = llquantize_value(shape, side + 1)};
    return row;
}

static bool shape_of(struct shape *shape, const struct program_aggregation *aggregation) {
    *shape = (struct shape){.aggregation = aggregation, .buckets = program_aggregation_words(aggregation)};
    switch (aggregation->function) {
    case AGGREGATING_QUANTIZE:
        shape->around = QUANTIZE_ZERO - 1;
        shape->index = same_index;
        shape->label = quantize_label;
        shape->middle = quantize_value;
        return true;
    case AGGREGATING_LQUANTIZE:
        shape->index = same_index;
        shape->label = lquantize_label;
        shape->middle = lquantize_value;
        return true;
    case AGGREGATING_LLQUANTIZE:
        shape->around = shape->buckets / 2;
        shape->index = llquantize_index;
        shape->label = llquantize_label;
        shape->middle = llquantize_value;
        return true;
    default:
        return false;
    }
}

bool histogram_make(struct histogram *histogram, const struct program_aggregation *aggregation,
                    const int64_t *data) {
    struct shape shape;
    *histogram = (struct histogram){0};
    if (!shape_of(&shape, aggregation) || shape.buckets == 0)
        return true;
    size_t first = 0, last = shape.buckets - 1;
    while (first < shape.buckets && data[shape.index(&shape, first)] == 0)
        first++;
    if (first == shape.buckets) {
        first = shape.around;
        last = first + 2 < shape.buckets ? first + 2 : shape.buckets - 1;
    } else {
        while (last > first && data[shape.index(&shape, last)] == 0)
            last--;
        first -= first > 0;
        last += last < shape.buckets - 1;
    }

    histogram->rows = malloc((last - first + 1) * sizeof *histogram->rows);
    if (!histogram->rows)
        return false;
    for (size_t i = first; i <= last; i++) {
        struct histogram_row *row = &histogram->rows[histogram->count++];
        *row = shape.label(&shape, i);
        row->count = data[shape.index(&shape, i)];
        if (row->prefix == around_zero && i == first) /* nothing negative is shown */
            row->prefix = "< ";
    }
    return true;
}

void histogram_free(struct histogram *histogram) {
    free(histogram->rows);
    *histogram = (struct histogram){0};
}

long double histogram_total(const struct program_aggregation *aggregation, const int64_t *data,
                            int64_t *zero) {
    struct shape shape;
    long double total = 0;
    *zero = 0;
    if (!shape_of(&shape, aggregation))
        return 0;
    for (size_t i = 0; i < shape.buckets; i++) {
        int64_t count = data[shape.index(&shape, i)], value = shape.middle(&shape, i);
        total += (long double)value * (long double)count;
        if (value == 0)
            *zero = count;
    }
    return total;
}

static long double magnitude(int64_t count) {
    return count < 0 ? -(long double)count : (long double)count;
}

/* All the bars of one histogram have this in common. */
struct bars {
    long double total;
    bool positive, negative; /* there are such counts */
    bool colored;
};

static void draw_bar(struct text *out, const struct bars *bars, size_t length) {
    if (bars->colored && length)
        text_string(out, blue);
    text_repeat(out, '@', length);
    if (bars->colored && length)
        text_string(out, plain);
}

/* With positive and negative counts the bars begin in the middle and are half as long. */
static void draw_line(struct text *out, const struct bars *bars, int64_t count) {
    size_t most = bars->positive && bars->negative ? BAR / 2 : BAR;
    size_t length = bars->total > 0 ? (size_t)(magnitude(count) * (long double)most / bars->total + 0.5L) : 0;
    if (length > most)
        length = most;
    if (bars->negative) {
        size_t left = count <= 0 ? length : 0;
        text_repeat(out, ' ', most - left);
        draw_bar(out, bars, left);
    }
    text_char(out, '|');
    if (bars->positive || !bars->negative) {
        size_t right = count > 0 ? length : 0;
        draw_bar(out, bars, right);
        text_repeat(out, ' ', most - right);
    }
}

int64_t histogram_count(const struct histogram_row *row, uint64_t normal) {
    return normal == 1 ? row->count : (int64_t)((uint64_t)row->count / normal);
}

void histogram_draw(struct text *out, const struct histogram *histogram, uint64_t normal, bool colored) {
    struct bars bars = {.colored = colored};
    for (size_t i = 0; i < histogram->count; i++) {
        bars.total += magnitude(histogram->rows[i].count);
        bars.positive |= histogram->rows[i].count > 0;
        bars.negative |= histogram->rows[i].count < 0;
    }
    text_char(out, '\n');
    if (colored)
        text_string(out, bold);
    text_string(out, "           value  ------------- Distribution ------------- count    ");
    if (colored)
        text_string(out, plain);
    text_char(out, '\n');
    for (size_t i = 0; i < histogram->count; i++) {
        const struct histogram_row *row = &histogram->rows[i];
        char number[24], *end = number + sizeof number;
        char *start = text_decimal(end, row->label < 0 ? 0 - (uint64_t)row->label : (uint64_t)row->label);
        if (row->label < 0)
            *--start = '-';
        size_t prefix = strlen(row->prefix), digits = (size_t)(end - start);
        text_repeat(out, ' ', prefix + digits < 16 ? 16 - prefix - digits : 0);
        text_bytes(out, row->prefix, prefix);
        text_bytes(out, start, digits);
        text_char(out, ' ');
        draw_line(out, &bars, row->count);
        text_char(out, ' ');

        struct text column = {0};
        text_signed(&column, histogram_count(row, normal), 0);
        text_padded(out, column.data ? column.data : "", column.length, 9, true);
        text_free(&column);
        text_char(out, '\n');
    }
}
