/*
 * histogram.h: the rows of quantize(), lquantize() and llquantize(), and drawing them as DTrace does.
 */
#ifndef CONSUMER_HISTOGRAM_H
#define CONSUMER_HISTOGRAM_H

#include "program/program.h"
#include "text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct histogram_row {
    const char *prefix; /* of the label: "", "< ", ">= ", "<= ", "abs() < " */
    int64_t label;
    int64_t count;
};

struct histogram {
    struct histogram_row *rows; /* owned; those to be shown: from one before the first to one after the last
                                   that is not empty */
    size_t count;
};

/* The rows for an entry's data, of as many words as program_aggregation_words says. False: out of memory. */
bool histogram_make(struct histogram *histogram, const struct program_aggregation *aggregation,
                    const int64_t *data);
void histogram_free(struct histogram *histogram);

/* The sum over all buckets of value times count, as far as it decides how histograms are sorted, and what is
   counted at zero, which decides when the sums tie. */
long double histogram_total(const struct program_aggregation *aggregation, const int64_t *data,
                            int64_t *zero);

/* A row's count divided by `normal`. */
int64_t histogram_count(const struct histogram_row *row, uint64_t normal);

/* Counts are divided by `normal`, but not the bars. */
void histogram_draw(struct text *out, const struct histogram *histogram, uint64_t normal, bool colored);

#endif
