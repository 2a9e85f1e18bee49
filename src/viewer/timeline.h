/*
 * timeline.h: from the events of threads to a file of slices, one within the other, and instants. What is not
 * balanced is repaired: what began before the timeline begins with it, what had not ended ends with it or
 * with its thread.
 */
#ifndef VIEWER_TIMELINE_H
#define VIEWER_TIMELINE_H

#include "consumer/text.h"
#include "labels.h"
#include "slices.h"
#include "tracks.h"

#include <stdbool.h>
#include <stdint.h>

enum timeline_kind { TIMELINE_BEGIN, TIMELINE_END, TIMELINE_INSTANT, TIMELINE_THREAD_ENDED };

struct timeline_event {
    uint64_t time;    /* nanoseconds of CLOCK_MONOTONIC; in a thread it does not go back */
    uint64_t earlier; /* of a BEGIN: so long before it really began */
    uint32_t thread;  /* index of its track */
    uint32_t label;   /* of BEGIN and INSTANT; of an END whose BEGIN was before the trace; else LABEL_NONE */
    uint32_t key;     /* of BEGIN and END: to find one by the other */
    uint8_t kind;     /* enum timeline_kind */
    uint8_t category; /* enum category */
    int64_t number;   /* of an END: what the category says */
    const char *text; /* of an INSTANT, likewise; borrowed */
    uint32_t length;
};

/* What the arguments of a category's slices and instants are called; NULL: it has none. */
struct category_words {
    const char *name;   /* of the category */
    const char *number; /* of an END */
    const char *text;   /* of an INSTANT */
};
extern const struct category_words category_words[CATEGORY_COUNT];

struct timeline;

/* A file format. All append to timeline->out. */
struct timeline_format {
    const char *name;
    const char *suffixes; /* of file names, each between blanks: " .json " */
    void (*begin)(struct timeline *timeline);
    void (*process)(struct timeline *timeline, const struct track_process *process);
    void (*thread)(struct timeline *timeline, uint32_t thread);
    void (*slice_begin)(struct timeline *timeline, uint32_t thread, const struct slice *slice);
    void (*slice_end)(struct timeline *timeline, uint32_t thread, const struct slice *slice, uint64_t time,
                      const int64_t *number); /* NULL: it is not known */
    void (*instant)(struct timeline *timeline, const struct timeline_event *event);
    void (*end)(struct timeline *timeline);
};
extern const struct timeline_format perfetto_timeline, chrome_timeline;

struct timeline_settings {
    const struct timeline_format *format;
    int fd;                /* where it is written; stays the caller's */
    struct labels *labels; /* borrowed, as the tracks */
    struct tracks *tracks;
    uint64_t start;        /* ns of CLOCK_MONOTONIC: nothing is shown to begin much earlier */
    uint64_t min_duration; /* slices that are shorter are left out, in ns */
};

struct thread_state; /* timeline.c */

struct timeline {
    struct timeline_settings settings;
    struct text out;
    struct thread_state *threads; /* owned; by index of the track */
    uint32_t thread_count;
    uint32_t *processes; /* owned: pids of those that have been written */
    uint32_t process_count;
    uint64_t last;    /* the latest time so far */
    uint64_t size;    /* bytes written */
    uint64_t objects; /* for the format: what it has written */
    uint64_t slices, left_out, instants;
    uint64_t unmatched; /* ends of what never began: their beginning was lost */
    void *state;        /* of the format; owned, by malloc */
};

/* Begins a file. False, as of the next two: it cannot be written, errno says why; or ENOMEM. */
bool timeline_open(struct timeline *timeline, const struct timeline_settings *settings);
bool timeline_event(struct timeline *timeline, const struct timeline_event *event);

/* Ends what is open, at `time`, and the file. */
bool timeline_finish(struct timeline *timeline, uint64_t time);

/* Frees what it has; after an error, too. */
void timeline_close(struct timeline *timeline);

#endif
