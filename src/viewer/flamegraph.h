/*
 * flamegraph.h: the drawing of a flame graph, for a file of its own and for a page around it.
 */
#ifndef VIEWER_FLAMEGRAPH_H
#define VIEWER_FLAMEGRAPH_H

#include "profile.h"

enum { FLAMEGRAPH_NARROWEST = 4000 }; /* a frame of less than this part of all samples is left out */

/* The <svg>, without script; with `style` in it or NULL. */
void flamegraph_begin(const struct profile *profile, const char *style, struct text *out);
void flamegraph_end(struct text *out);

/* What a frame is called in its box, what when one asks; its colour; the class of its kind. The texts are
 * one line, not escaped. */
void flamegraph_label(const struct profile *profile, uint32_t frame, struct text *out);
void flamegraph_title(const struct profile *profile, uint32_t frame, struct text *out);
void flamegraph_color(const struct profile *profile, uint32_t frame, struct text *out);
const char *flamegraph_class(enum profile_kind kind);

extern const char flamegraph_root_color[];

#endif
