/*
 * timeline.c: keeps what is open in each thread, and tells the format what begins and ends, in an order in
 * which it nests.
 *
 * With a least duration, a slice is written when it has lasted long enough: the beginnings of those around
 * it, which last longer, first. Two beginnings that are not known get times that differ, the outer one's
 * being the earlier, so that viewers, which sort by time, nest them as they were.
 */
#ifndef _GNU_SOURCE
#    define _GNU_SOURCE
#endif
#include "timeline.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FLUSH_SIZE = 256 << 10 };

struct thread_state {
    struct slices open;
    uint64_t unseen;  /* slices so far that had begun before the timeline */
    uint32_t renamed; /* as of the track when it was written last */
    bool written;     /* its track is */
};

const struct category_words category_words[CATEGORY_COUNT] = {
    [CATEGORY_FUNCTION] = {"function", NULL, NULL},
    [CATEGORY_GC] = {"gc", "collected", NULL},
    [CATEGORY_IMPORT] = {"import", "found", NULL},
    [CATEGORY_EXCEPTION] = {"exception", NULL, "message"},
};

static bool flush(struct timeline *timeline) {
    struct text *out = &timeline->out;
    if (out->failed) {
        errno = ENOMEM;
        return false;
    }
    for (size_t at = 0; at < out->length;) {
        ssize_t written = write(timeline->settings.fd, out->data + at, out->length - at);
        if (written < 0 && errno != EINTR) {
            return false;
        }
        at += written > 0 ? (size_t)written : 0;
    }
    timeline->size += out->length;
    out->length = 0;
    return true;
}

bool timeline_open(struct timeline *timeline, const struct timeline_settings *settings) {
    *timeline = (struct timeline){.settings = *settings, .last = settings->start};
    settings->format->begin(timeline);
    return flush(timeline); /* so that a file that cannot be written is known at once */
}

static bool write_process(struct timeline *timeline, uint32_t pid) {
    for (uint32_t i = 0; i < timeline->process_count; i++) {
        if (timeline->processes[i] == pid) {
            return true;
        }
    }
    const struct track_process *process = tracks_process(timeline->settings.tracks, pid);
    uint32_t *processes = realloc(timeline->processes, (timeline->process_count + 1) * sizeof *processes);
    if (processes != NULL) {
        timeline->processes = processes;
    }
    if (process == NULL || processes == NULL) {
        return false;
    }
    processes[timeline->process_count++] = pid;
    timeline->settings.format->process(timeline, process);
    return true;
}

/* NULL: out of memory. */
static struct thread_state *thread_state(struct timeline *timeline, uint32_t index) {
    if (index >= timeline->thread_count) {
        uint32_t count = timeline->settings.tracks->count;
        struct thread_state *threads = realloc(timeline->threads, count * sizeof *threads);
        if (threads == NULL) {
            return NULL;
        }
        memset(threads + timeline->thread_count, 0, (count - timeline->thread_count) * sizeof *threads);
        timeline->threads = threads;
        timeline->thread_count = count;
    }
    struct thread_state *thread = &timeline->threads[index];
    const struct track *track = &timeline->settings.tracks->all[index];
    if (!thread->written || thread->renamed != track->renamed) {
        if (!write_process(timeline, track->pid)) {
            return NULL;
        }
        timeline->settings.format->thread(timeline, index);
        thread->written = true;
        thread->renamed = track->renamed;
    }
    return thread;
}

/* Writes the beginnings of the outermost `depth` that are not. */
static void write_begins(struct timeline *timeline, uint32_t index, struct thread_state *thread,
                         size_t depth) {
    size_t first = depth;
    while (first > 0 && !thread->open.all[first - 1].written) {
        first--;
    }
    for (; first < depth; first++) {
        thread->open.all[first].written = true;
        timeline->settings.format->slice_begin(timeline, index, &thread->open.all[first]);
    }
}

/* Ends the innermost slice. */
static void pop(struct timeline *timeline, uint32_t index, struct thread_state *thread, uint64_t time,
                const int64_t *number) {
    const struct slice *slice = &thread->open.all[thread->open.depth - 1];
    time = time > slice->start ? time : slice->start;
    if (time - slice->start + slice->earlier < timeline->settings.min_duration) {
        timeline->left_out++;
    } else {
        write_begins(timeline, index, thread, thread->open.depth);
        timeline->settings.format->slice_end(timeline, index, slice, time, number);
        timeline->slices++;
    }
    thread->open.depth--;
}

static void pop_all(struct timeline *timeline, uint32_t index, uint64_t time) {
    struct thread_state *thread = &timeline->threads[index];
    while (thread->open.depth > 0) {
        pop(timeline, index, thread, time, NULL);
    }
}

static bool begin(struct timeline *timeline, struct thread_state *thread,
                  const struct timeline_event *event) {
    struct slice slice = {
        .start = event->time,
        .earlier = event->earlier,
        .label = event->label,
        .key = event->key,
        .category = event->category,
    };
    if (!slices_push(&thread->open, &slice)) {
        return false;
    }
    if (timeline->settings.min_duration == 0) {
        write_begins(timeline, event->thread, thread, thread->open.depth);
    }
    return true;
}

/* A call that was running when the trace began: all that the thread has done since was within it. */
static bool end_unseen(struct timeline *timeline, struct thread_state *thread,
                       const struct timeline_event *event) {
    struct timeline_event began = *event;
    pop_all(timeline, event->thread, event->time);
    began.time = timeline->settings.start - thread->unseen++;
    began.earlier = 0;
    if (!begin(timeline, thread, &began)) {
        return false;
    }
    pop(timeline, event->thread, thread, event->time, &event->number);
    return true;
}

static bool end(struct timeline *timeline, struct thread_state *thread, const struct timeline_event *event) {
    if (event->label != LABEL_NONE) {
        return end_unseen(timeline, thread, event);
    }
    size_t depth = slices_find(&thread->open, event->category, event->key);
    if (depth == 0) {
        timeline->unmatched++;
        return true;
    }
    while (thread->open.depth > depth) { /* the ends of these were lost */
        pop(timeline, event->thread, thread, event->time, NULL);
    }
    pop(timeline, event->thread, thread, event->time, &event->number);
    return true;
}

static bool instant(struct timeline *timeline, struct thread_state *thread,
                    const struct timeline_event *event) {
    (void)thread;
    timeline->settings.format->instant(timeline, event);
    timeline->instants++;
    return true;
}

static bool thread_ended(struct timeline *timeline, struct thread_state *thread,
                         const struct timeline_event *event) {
    (void)thread;
    pop_all(timeline, event->thread, event->time);
    return true;
}

bool timeline_event(struct timeline *timeline, const struct timeline_event *event) {
    static bool (*const takes[])(struct timeline *, struct thread_state *, const struct timeline_event *) = {
        [TIMELINE_BEGIN] = begin,
        [TIMELINE_END] = end,
        [TIMELINE_INSTANT] = instant,
        [TIMELINE_THREAD_ENDED] = thread_ended,
    };
    struct thread_state *thread = thread_state(timeline, event->thread);
    timeline->last = event->time > timeline->last ? event->time : timeline->last;
    if (thread == NULL || !takes[event->kind](timeline, thread, event)) {
        errno = ENOMEM;
        return false;
    }
    return timeline->out.length < FLUSH_SIZE || flush(timeline);
}

bool timeline_finish(struct timeline *timeline, uint64_t time) {
    time = time > timeline->last ? time : timeline->last;
    for (uint32_t i = 0; i < timeline->thread_count; i++) {
        pop_all(timeline, i, time);
    }
    timeline->settings.format->end(timeline);
    return flush(timeline);
}

void timeline_close(struct timeline *timeline) {
    for (uint32_t i = 0; i < timeline->thread_count; i++) {
        slices_free(&timeline->threads[i].open);
    }
    free(timeline->threads);
    free(timeline->processes);
    free(timeline->state);
    text_free(&timeline->out);
}
