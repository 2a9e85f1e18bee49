/*
 * formats.h: the formats in which a profile can be written, each by a file of its own.
 */
#ifndef VIEWER_FORMATS_H
#define VIEWER_FORMATS_H

#include "profile.h"

struct profile_format {
    const char *name;                                               /* for --format */
    const char *other_name;                                         /* py-spy's, or NULL */
    const char *suffixes[4];                                        /* of a file's name; NULL ends them */
    bool ordered;                                                   /* needs the samples in their order */
    void (*write)(const struct profile *profile, struct text *out); /* of a finished profile */
};

/* By its name; by the suffix of a file. NULL: there is none. */
const struct profile_format *profile_format_named(const char *name);
const struct profile_format *profile_format_of_file(const char *file);

/* "svg, html, ...", for messages. */
void profile_format_names(struct text *out);

void write_svg(const struct profile *profile, struct text *out);
void write_html(const struct profile *profile, struct text *out);
void write_collapsed(const struct profile *profile, struct text *out);
void write_speedscope(const struct profile *profile, struct text *out);
void write_pprof(const struct profile *profile, struct text *out);
void write_perfetto(const struct profile *profile, struct text *out);

#endif
