/*
 * histograms_svg.c: a picture written by hand. Lengths are in pixels.
 */
#include "histograms_svg.h"

#include "escape.h"

#include <stdio.h>

enum {
    WIDTH = 860,
    MARGIN = 20,
    HEAD = 56,  /* the picture's own heading */
    TITLE = 26, /* of a histogram */
    ROW = 18,
    BAR = 14,
    GAP = 22,        /* below a histogram */
    BARS_LEFT = 170, /* the labels are to the left, */
    BARS_RIGHT = 120 /* the counts to the right */
};

/* Microseconds in the unit in which they are easy to read. */
static void put_time(struct text *out, int64_t time) {
    static const struct {
        double factor;
        const char *name;
    } units[] = {{1e6, "s"}, {1e3, "ms"}, {1, "\302\265s"}};
    size_t i = 0;
    while (i < 2 && (double)time < units[i].factor) {
        i++;
    }
    text_format(out, "%.3g %s", (double)time / units[i].factor, units[i].name);
}

/* "1.02 ms - 2.05 ms" */
static void put_range(struct text *out, int64_t from) {
    if (from <= 0) {
        text_string(out, "below ");
        put_time(out, 1);
        return;
    }
    put_time(out, from);
    text_string(out, " \342\200\223 ");
    put_time(out, from * 2);
}

static void put_row(struct text *out, const struct histogram_row *row, int64_t most, int64_t total,
                    uint32_t top) {
    const uint32_t room = WIDTH - BARS_LEFT - BARS_RIGHT;
    double width = row->count > 0 ? 1 + (double)(room - 1) * (double)row->count / (double)most : 0;
    text_format(out, "<text class=\"range\" x=\"%d\" y=\"%u\">", BARS_LEFT - 8, top + BAR - 3);
    put_range(out, row->label);
    text_format(out, "</text><rect class=\"bar\" x=\"%d\" y=\"%u\" width=\"%.1f\" height=\"%d\"><title>",
                BARS_LEFT, top, width, BAR);
    text_format(out, "%lld of %lld calls took ", (long long)row->count, (long long)total);
    put_range(out, row->label);
    text_string(out, "</title></rect>");
    if (row->count > 0) {
        text_format(out, "<text class=\"count\" x=\"%.1f\" y=\"%u\">%lld</text>", BARS_LEFT + width + 6,
                    top + BAR - 3, (long long)row->count);
    }
    text_char(out, '\n');
}

void histograms_svg_add(struct histograms_svg *svg, const struct histogram *histogram, const char *title,
                        size_t length) {
    struct text *out = &svg->panels, clean = {0};
    int64_t most = 0, total = 0;
    for (size_t i = 0; i < histogram->count; i++) {
        most = histogram->rows[i].count > most ? histogram->rows[i].count : most;
        total += histogram->rows[i].count;
    }
    uint32_t top = HEAD + svg->height;
    text_format(out, "<text class=\"name\" x=\"%d\" y=\"%u\">", MARGIN, top + TITLE - 10);
    text_clean(&clean, title, length);
    text_char(&clean, '\0');
    escape_xml(out, clean.data != NULL ? clean.data : "");
    out->failed |= clean.failed;
    text_free(&clean);
    text_format(out, "<tspan class=\"calls\" dx=\"10\">%lld call%s</tspan></text>\n", (long long)total,
                total == 1 ? "" : "s");
    top += TITLE;
    for (size_t i = 0; i < histogram->count; i++) {
        bool outermost = i == 0 || i + 1 == histogram->count; /* which may be there to be empty */
        if (!outermost || histogram->rows[i].count > 0) {
            put_row(out, &histogram->rows[i], most, total, top);
            top += ROW;
        }
    }
    svg->height = top + GAP - HEAD;
    svg->count++;
}

void histograms_svg_write(const struct histograms_svg *svg, struct text *out, const char *heading) {
    uint32_t height = HEAD + svg->height + MARGIN;
    text_format(
        out,
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%u\" viewBox=\"0 0 %d %u\">\n",
        WIDTH, height, WIDTH, height);
    text_string(
        out, "<style>text{font:13px ui-sans-serif,system-ui,sans-serif;fill:#1f2933}.heading{font-size:18px;"
             "font-weight:600}.name{font-weight:600}.calls{font-weight:400;fill:#616e7c}"
             ".range{text-anchor:end;font-size:11px;fill:#616e7c}.count{font-size:11px}"
             ".bar{fill:#d9731a}.bar:hover{fill:#8c3f00}</style>\n"
             "<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n");
    text_format(out, "<text class=\"heading\" x=\"%d\" y=\"32\">", MARGIN);
    escape_xml(out, heading);
    text_string(out, "</text>\n");
    if (svg->panels.length > 0) {
        text_bytes(out, svg->panels.data, svg->panels.length);
    }
    text_string(out, "</svg>\n");
    out->failed |= svg->panels.failed;
}

void histograms_svg_free(struct histograms_svg *svg) {
    text_free(&svg->panels);
}
