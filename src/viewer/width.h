/*
 * width.h: how wide a text is on a terminal, and texts cut to a width. For strings from a traced program:
 * what is not UTF-8 or would control the terminal is shown as '?'.
 */
#ifndef VIEWER_WIDTH_H
#define VIEWER_WIDTH_H

#include "consumer/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Columns of a character: 0, 1 or 2. */
unsigned width_of(uint32_t character);

/* Columns of a text as width_append writes it. */
size_t width_text(const char *text, bool utf8);

/* Appends a text cut to at most so many columns, with an ellipsis at its end if something is missing. With
 * `utf8` false the terminal is one that knows ASCII alone. Returns the columns that it takes. */
size_t width_append(struct text *out, const char *text, size_t columns, bool utf8);

#endif
