/*
 * profile.h: what sampling has gathered, however it came: stacks, counted for each thread, and if they are
 * wanted the samples in the order of time. All formats are written from it.
 *
 * Strings, functions, frames, stacks and threads are numbers, and equal ones are the same number. A stack is
 * a node: its innermost frame and the node of the caller, which always has the lower number. Node 0 is the
 * empty stack.
 */
#ifndef VIEWER_PROFILE_H
#define VIEWER_PROFILE_H

#include "consumer/text.h"
#include "numbering.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PROFILE_NO_NODE = 0 };

enum profile_kind {
    PROFILE_PYTHON,
    PROFILE_NATIVE,  /* a C function */
    PROFILE_NOTE,    /* not a function: what is said in its place */
    PROFILE_THREAD,  /* a thread, in the place of the outermost frame */
    PROFILE_PROCESS, /* a process, likewise */
};

struct profile_function {
    uint32_t name, file; /* strings; "" for a file that there is not */
    uint32_t first_line;
    enum profile_kind kind;
};

struct profile_frame {
    uint32_t function;
    uint32_t line; /* 0: not known */
};

struct profile_node {
    uint32_t caller, frame;
    uint64_t self, total; /* samples that end here; and those with all that it called, by profile_finish */
};

struct profile_thread {
    uint32_t pid, tid;
    uint32_t name, command; /* strings: the thread's name, the process's command line */
};

struct profile_count {
    uint32_t thread, node;
    uint64_t samples;
};

struct profile_sample {
    uint64_t time; /* ns, CLOCK_MONOTONIC */
    uint32_t thread, node;
};

struct profile {
    /* Set by the caller, before the first profile_add. */
    bool ordered;    /* samples are kept in their order too */
    uint64_t period; /* ns from one sample of a thread to the next */

    /* Set by the caller, before it is written. */
    const char *title;    /* one line; borrowed */
    const char *exporter; /* name and version of the program; borrowed */
    uint64_t start, end;  /* ns, CLOCK_MONOTONIC */
    uint64_t start_date;  /* ns since 1970 */

    /* Only read by others. */
    char **strings;
    struct profile_function *functions;
    struct profile_frame *frames;
    struct profile_node *nodes;
    struct profile_thread *threads;
    struct profile_count *counts;
    struct profile_sample *samples;
    uint32_t string_count, function_count, frame_count, node_count, thread_count, count_count;
    size_t sample_count; /* of `samples` */
    uint64_t total;      /* samples added */
    bool failed;         /* out of memory: something is missing */

    /* Private. */
    struct numbering string_numbers, place_numbers, function_numbers, frame_numbers, node_numbers,
        thread_numbers, count_numbers;
};

/* With the empty string and the empty stack in it; for a zeroed profile. */
void profile_open(struct profile *profile);
void profile_close(struct profile *profile);

/* The number of each. Strings are copied; what is no UTF-8 becomes U+FFFD. When memory runs out, `failed` is
 * set and the number is 0. */
uint32_t profile_string(struct profile *profile, const char *string);
uint32_t profile_function(struct profile *profile, struct profile_function function);
uint32_t profile_frame(struct profile *profile, uint32_t function, uint32_t line);
uint32_t profile_node(struct profile *profile, uint32_t caller, uint32_t frame);
uint32_t profile_thread(struct profile *profile, struct profile_thread thread);

/* One sample. Those of one thread come in the order of time. */
void profile_add(struct profile *profile, uint64_t time, uint32_t thread, uint32_t node);

/* Adds up the nodes; after the last sample. */
void profile_finish(struct profile *profile);

/* The name of a frame's function; its place, "FILE:LINE", "FILE" or "", into `text`. Borrowed. */
const char *profile_name(const struct profile *profile, uint32_t frame);
enum profile_kind profile_kind(const struct profile *profile, uint32_t frame);
const char *profile_file(const struct profile *profile, uint32_t frame);

/* "NAME (TID)", "thread TID": how a thread is shown; with its process when `process`. */
void profile_thread_label(const struct profile *profile, uint32_t thread, bool process, struct text *out);

/* Whether there are threads of more than one process. */
bool profile_has_processes(const struct profile *profile);

/* The stack of a node, its outermost frame first: numbers of frames, to be freed. Returns how many. NULL when
 * memory ran out. */
uint32_t *profile_stack(const struct profile *profile, uint32_t node, size_t *count);

#endif
