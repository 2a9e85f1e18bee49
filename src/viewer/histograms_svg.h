/*
 * histograms_svg.h: histograms of times as one SVG picture, one below the other: bars from left to right, a
 * row for each range of time.
 */
#ifndef VIEWER_HISTOGRAMS_SVG_H
#define VIEWER_HISTOGRAMS_SVG_H

#include "consumer/histogram.h"
#include "consumer/text.h"

/* Of a picture that grows; zeroed at first. */
struct histograms_svg {
    struct text panels; /* all but the picture's head and end */
    uint64_t count;     /* of histograms */
    uint32_t height;    /* of the panels */
};

/* Adds one: rows by powers of two, of microseconds. `title` need not be UTF-8, nor terminated. */
void histograms_svg_add(struct histograms_svg *svg, const struct histogram *histogram, const char *title,
                        size_t length);

/* Writes the picture. */
void histograms_svg_write(const struct histograms_svg *svg, struct text *out, const char *heading);
void histograms_svg_free(struct histograms_svg *svg);

#endif
