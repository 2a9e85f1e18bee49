/*
 * formats.c: the table of the formats.
 */
#include "formats.h"

/* The names are those that messages list; of two suffixes that fit, the first in the table. */
static const struct profile_format formats[] = {
    {"svg", "flamegraph", {".svg"}, false, write_svg},
    {"html", NULL, {".html", ".htm"}, false, write_html},
    {"collapsed", "raw", {".txt", ".collapsed", ".folded"}, false, write_collapsed},
    {"speedscope", NULL, {".json"}, true, write_speedscope},
    {"pprof", NULL, {".pb.gz", ".pprof"}, false, write_pprof},
    {"perfetto", NULL, {".perfetto-trace", ".pftrace", ".perfetto"}, true, write_perfetto},
};

enum { FORMAT_COUNT = sizeof formats / sizeof formats[0] };

const struct profile_format *profile_format_named(const char *name) {
    for (int i = 0; i < FORMAT_COUNT; i++) {
        const char *other = formats[i].other_name;
        if (strcmp(name, formats[i].name) == 0 || (other != NULL && strcmp(name, other) == 0)) {
            return &formats[i];
        }
    }
    return NULL;
}

const struct profile_format *profile_format_of_file(const char *file) {
    size_t length = strlen(file);
    for (int i = 0; i < FORMAT_COUNT; i++) {
        for (const char *const *suffix = formats[i].suffixes; *suffix != NULL; suffix++) {
            size_t size = strlen(*suffix);
            if (length >= size && strcmp(file + length - size, *suffix) == 0) {
                return &formats[i];
            }
        }
    }
    return NULL;
}

void profile_format_names(struct text *out) {
    for (int i = 0; i < FORMAT_COUNT; i++) {
        text_format(out, "%s%s", i == 0 ? "" : ", ", formats[i].name);
    }
}
