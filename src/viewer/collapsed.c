/*
 * collapsed.c: a line for each stack, its frames separated by semicolons, the outermost first, and how many
 * samples it has: "main (app.py:10);work (app.py:4) 37". What flame graphs, speedscope and inferno read.
 */
#include "escape.h"
#include "formats.h"

#include <stdlib.h>

static void put_frame(const struct profile *profile, uint32_t frame, struct text *out) {
    const char *file = profile_file(profile, frame);
    uint32_t line = profile->frames[frame].line;
    escape_collapsed(out, profile_name(profile, frame));
    if (file[0] != '\0') {
        text_string(out, " (");
        escape_collapsed(out, file);
        if (line > 0) {
            text_format(out, ":%u", line);
        }
        text_char(out, ')');
    }
}

void write_collapsed(const struct profile *profile, struct text *out) {
    for (uint32_t i = 1; i < profile->node_count; i++) {
        size_t count;
        if (profile->nodes[i].self == 0) {
            continue;
        }
        uint32_t *stack = profile_stack(profile, i, &count);
        if (stack == NULL) {
            out->failed = true;
            return;
        }
        for (size_t k = 0; k < count; k++) {
            if (k > 0) {
                text_char(out, ';');
            }
            put_frame(profile, stack[k], out);
        }
        free(stack);
        text_format(out, " %llu\n", (unsigned long long)profile->nodes[i].self);
    }
}
