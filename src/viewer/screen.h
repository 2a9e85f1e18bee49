/*
 * screen.h: the screen of `catprobe top`: drawn for a terminal of any size, printed as plain text, or as
 * JSON.
 */
#ifndef VIEWER_SCREEN_H
#define VIEWER_SCREEN_H

#include "consumer/text.h"
#include "figures.h"

#include <stdbool.h>
#include <stddef.h>

struct screen {
    unsigned columns, rows; /* of the terminal */
    bool utf8;              /* it shows more than ASCII */
    bool colors;
    bool help; /* the keys are shown in place of the figures */
    enum figures_by by;
    enum figures_column sort;
    struct sampling_process *const *processes;
    size_t process_count;
    double rate;        /* Hz */
    const char *notice; /* a line of the day, in place of the keys; or NULL */
    const char *hint;   /* what to do when threads have been sampled and the table is empty */
};

/* Appends the whole screen, from its upper left corner: what writes it over the one before. */
void screen_draw(struct text *out, const struct screen *screen, struct figures *figures);

/* Appends the same as text of any width; all rows. */
void screen_print(struct text *out, const struct screen *screen, struct figures *figures);

/* Appends it as one JSON object in a line. */
void screen_json(struct text *out, const struct screen *screen, struct figures *figures);

#endif
