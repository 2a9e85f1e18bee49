/*
 * timeline_perfetto.c: a timeline as a Perfetto trace: a Trace of TracePackets with TrackEvents, all of one
 * sequence. Names and source locations are interned: written with the first event that has them.
 */
#ifndef _GNU_SOURCE
#    define _GNU_SOURCE
#endif
#include "protobuf.h"
#include "timeline.h"

#include <stdlib.h>
#include <time.h>

/* Fields of Perfetto's messages, by message. */
enum { TRACE_PACKET = 1 };
enum {
    PACKET_CLOCK_SNAPSHOT = 6,
    PACKET_TIMESTAMP = 8,
    PACKET_SEQUENCE_ID = 10,
    PACKET_TRACK_EVENT = 11,
    PACKET_INTERNED_DATA = 12,
    PACKET_SEQUENCE_FLAGS = 13,
    PACKET_DEFAULTS = 59,
    PACKET_TRACK_DESCRIPTOR = 60,
    PACKET_FIRST_ON_SEQUENCE = 87,
};
enum { DEFAULTS_CLOCK_ID = 58 };
enum { SNAPSHOT_CLOCKS = 1, CLOCK_FIELD_ID = 1, CLOCK_FIELD_TIMESTAMP = 2 };
enum { DESCRIPTOR_UUID = 1, DESCRIPTOR_PROCESS = 3, DESCRIPTOR_THREAD = 4, DESCRIPTOR_PARENT = 5 };
enum { PROCESS_PID = 1, PROCESS_NAME = 6 };
enum { THREAD_PID = 1, THREAD_TID = 2, THREAD_NAME = 5 };
enum {
    EVENT_CATEGORY_IIDS = 3,
    EVENT_ANNOTATIONS = 4,
    EVENT_TYPE = 9,
    EVENT_NAME_IID = 10,
    EVENT_TRACK = 11,
    EVENT_SOURCE_LOCATION_IID = 34,
};
enum { TYPE_SLICE_BEGIN = 1, TYPE_SLICE_END = 2, TYPE_INSTANT = 3 };
enum { INTERNED_CATEGORIES = 1, INTERNED_NAMES = 2, INTERNED_LOCATIONS = 4 };
enum { INTERNED_IID = 1, INTERNED_NAME = 2 };
enum { LOCATION_IID = 1, LOCATION_FILE = 2, LOCATION_FUNCTION = 3, LOCATION_LINE = 4 };
enum { ANNOTATION_INT = 4, ANNOTATION_STRING = 6, ANNOTATION_NAME = 10 };

enum {
    SEQUENCE = 1,
    STATE_CLEARED = 1, /* flags of a packet: what is interned begins anew; */
    STATE_NEEDED = 2,  /* it refers to that */
    BUILTIN_CLOCK_REALTIME = 1,
    BUILTIN_CLOCK_MONOTONIC = 3,
    BUILTIN_CLOCK_BOOTTIME = 6,
};

/* Which labels this file has. */
struct interned {
    uint32_t room; /* labels */
    unsigned char has[];
};

/* Threads have small numbers, as each event has its thread's. */
static uint64_t thread_uuid(uint32_t thread) {
    return (uint64_t)thread + 1;
}

static uint64_t process_uuid(uint32_t pid) {
    return (uint64_t)1 << 32 | pid;
}

/* A field that is a text. */
static void put_clean(struct text *out, uint32_t field, const char *bytes, size_t length) {
    size_t begin = protobuf_begin(out, field);
    text_clean(out, bytes, length);
    protobuf_end(out, begin);
}

static void put_clock(struct text *out, uint32_t id, clockid_t clock) {
    struct timespec time = {0};
    clock_gettime(clock, &time);
    size_t begin = protobuf_begin(out, SNAPSHOT_CLOCKS);
    protobuf_number(out, CLOCK_FIELD_ID, id);
    protobuf_number(out, CLOCK_FIELD_TIMESTAMP, (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec);
    protobuf_end(out, begin);
}

/* So that events can be shown by the time of day, and next to those of other tracers. */
static void put_clocks(struct text *out) {
    size_t packet = protobuf_begin(out, TRACE_PACKET);
    protobuf_number(out, PACKET_SEQUENCE_ID, SEQUENCE);
    size_t snapshot = protobuf_begin(out, PACKET_CLOCK_SNAPSHOT);
    put_clock(out, BUILTIN_CLOCK_MONOTONIC, CLOCK_MONOTONIC);
    put_clock(out, BUILTIN_CLOCK_REALTIME, CLOCK_REALTIME);
#if defined CLOCK_BOOTTIME
    put_clock(out, BUILTIN_CLOCK_BOOTTIME, CLOCK_BOOTTIME);
#endif
    protobuf_end(out, snapshot);
    protobuf_end(out, packet);
}

static void perfetto_begin(struct timeline *timeline) {
    struct text *out = &timeline->out;
    put_clocks(out);
    size_t packet = protobuf_begin(out, TRACE_PACKET);
    protobuf_number(out, PACKET_SEQUENCE_ID, SEQUENCE);
    protobuf_number(out, PACKET_SEQUENCE_FLAGS, STATE_CLEARED);
    protobuf_number(out, PACKET_FIRST_ON_SEQUENCE, true);
    size_t defaults = protobuf_begin(out, PACKET_DEFAULTS);
    protobuf_number(out, DEFAULTS_CLOCK_ID, BUILTIN_CLOCK_MONOTONIC);
    protobuf_end(out, defaults);
    size_t interned = protobuf_begin(out, PACKET_INTERNED_DATA);
    for (unsigned i = 0; i < CATEGORY_COUNT; i++) {
        size_t category = protobuf_begin(out, INTERNED_CATEGORIES);
        protobuf_number(out, INTERNED_IID, i + 1);
        protobuf_string(out, INTERNED_NAME, category_words[i].name);
        protobuf_end(out, category);
    }
    protobuf_end(out, interned);
    protobuf_end(out, packet);
}

static void perfetto_process(struct timeline *timeline, const struct track_process *process) {
    struct text *out = &timeline->out;
    size_t packet = protobuf_begin(out, TRACE_PACKET);
    protobuf_number(out, PACKET_SEQUENCE_ID, SEQUENCE);
    size_t descriptor = protobuf_begin(out, PACKET_TRACK_DESCRIPTOR);
    protobuf_number(out, DESCRIPTOR_UUID, process_uuid(process->pid));
    size_t content = protobuf_begin(out, DESCRIPTOR_PROCESS);
    protobuf_number(out, PROCESS_PID, process->pid);
    put_clean(out, PROCESS_NAME, process->name, strlen(process->name));
    protobuf_end(out, content);
    protobuf_end(out, descriptor);
    protobuf_end(out, packet);
}

static void perfetto_thread(struct timeline *timeline, uint32_t thread) {
    const struct track *track = &timeline->settings.tracks->all[thread];
    struct text *out = &timeline->out;
    size_t packet = protobuf_begin(out, TRACE_PACKET);
    protobuf_number(out, PACKET_SEQUENCE_ID, SEQUENCE);
    size_t descriptor = protobuf_begin(out, PACKET_TRACK_DESCRIPTOR);
    protobuf_number(out, DESCRIPTOR_UUID, thread_uuid(thread));
    protobuf_number(out, DESCRIPTOR_PARENT, process_uuid(track->pid));
    size_t content = protobuf_begin(out, DESCRIPTOR_THREAD);
    protobuf_number(out, THREAD_PID, track->pid);
    protobuf_number(out, THREAD_TID, track->tid);
    put_clean(out, THREAD_NAME, track->name, strlen(track->name));
    protobuf_end(out, content);
    protobuf_end(out, descriptor);
    protobuf_end(out, packet);
}

/* Whether this file has the label; from now on it has. Without memory for that, it is written each time. */
static bool is_interned(struct timeline *timeline, uint32_t label) {
    struct interned *interned = timeline->state;
    if (interned == NULL || label >= interned->room) {
        uint32_t room = timeline->settings.labels->room;
        uint32_t before = interned == NULL ? 0 : interned->room;
        interned = realloc(interned, sizeof *interned + room);
        if (interned == NULL) {
            return false;
        }
        memset(interned->has + before, 0, room - before);
        interned->room = room;
        timeline->state = interned;
    }
    bool has = interned->has[label] != 0;
    interned->has[label] = 1;
    return has;
}

static void put_label(struct timeline *timeline, uint32_t id) {
    const struct label *label = &timeline->settings.labels->all[id];
    struct text *out = &timeline->out;
    size_t interned = protobuf_begin(out, PACKET_INTERNED_DATA);
    size_t name = protobuf_begin(out, INTERNED_NAMES);
    protobuf_number(out, INTERNED_IID, (uint64_t)id + 1);
    put_clean(out, INTERNED_NAME, label->name, label->name_length);
    protobuf_end(out, name);
    if (label->file_length > 0) {
        size_t location = protobuf_begin(out, INTERNED_LOCATIONS);
        protobuf_number(out, LOCATION_IID, (uint64_t)id + 1);
        put_clean(out, LOCATION_FILE, label->file, label->file_length);
        if (label->category == CATEGORY_FUNCTION) {
            put_clean(out, LOCATION_FUNCTION, label->name, label->name_length);
        }
        protobuf_number(out, LOCATION_LINE, label->line);
        protobuf_end(out, location);
    }
    protobuf_end(out, interned);
}

struct event_packet {
    size_t packet, event; /* where they begin */
};

static struct event_packet begin_event(struct timeline *timeline, uint32_t thread, unsigned type,
                                       uint64_t time, uint32_t label) {
    struct text *out = &timeline->out;
    struct event_packet begun = {.packet = protobuf_begin(out, TRACE_PACKET)};
    protobuf_number(out, PACKET_TIMESTAMP, time);
    protobuf_number(out, PACKET_SEQUENCE_ID, SEQUENCE);
    protobuf_number(out, PACKET_SEQUENCE_FLAGS, STATE_NEEDED);
    if (label != LABEL_NONE && !is_interned(timeline, label)) {
        put_label(timeline, label);
    }
    begun.event = protobuf_begin(out, PACKET_TRACK_EVENT);
    protobuf_number(out, EVENT_TYPE, type);
    protobuf_number(out, EVENT_TRACK, thread_uuid(thread));
    if (label != LABEL_NONE) {
        const struct label *known = &timeline->settings.labels->all[label];
        protobuf_number(out, EVENT_CATEGORY_IIDS, (uint64_t)known->category + 1);
        protobuf_number(out, EVENT_NAME_IID, (uint64_t)label + 1);
        if (known->file_length > 0) {
            protobuf_number(out, EVENT_SOURCE_LOCATION_IID, (uint64_t)label + 1);
        }
    }
    return begun;
}

static void end_event(struct timeline *timeline, const struct event_packet *begun) {
    protobuf_end(&timeline->out, begun->event);
    protobuf_end(&timeline->out, begun->packet);
}

static void annotate(struct text *out, const char *name, int64_t number) {
    size_t annotation = protobuf_begin(out, EVENT_ANNOTATIONS);
    protobuf_string(out, ANNOTATION_NAME, name);
    protobuf_number(out, ANNOTATION_INT, (uint64_t)number);
    protobuf_end(out, annotation);
}

static void perfetto_slice_begin(struct timeline *timeline, uint32_t thread, const struct slice *slice) {
    struct event_packet begun = begin_event(timeline, thread, TYPE_SLICE_BEGIN, slice->start, slice->label);
    if (slice->earlier > 0) {
        annotate(&timeline->out, "began_earlier_ns", (int64_t)slice->earlier);
    }
    end_event(timeline, &begun);
}

static void perfetto_slice_end(struct timeline *timeline, uint32_t thread, const struct slice *slice,
                               uint64_t time, const int64_t *number) {
    const char *name = category_words[slice->category].number;
    struct event_packet begun = begin_event(timeline, thread, TYPE_SLICE_END, time, LABEL_NONE);
    if (number != NULL && name != NULL) {
        annotate(&timeline->out, name, *number);
    }
    end_event(timeline, &begun);
}

static void perfetto_instant(struct timeline *timeline, const struct timeline_event *event) {
    const char *name = category_words[event->category].text;
    struct event_packet begun = begin_event(timeline, event->thread, TYPE_INSTANT, event->time, event->label);
    if (name != NULL && event->length > 0) {
        size_t annotation = protobuf_begin(&timeline->out, EVENT_ANNOTATIONS);
        protobuf_string(&timeline->out, ANNOTATION_NAME, name);
        put_clean(&timeline->out, ANNOTATION_STRING, event->text, event->length);
        protobuf_end(&timeline->out, annotation);
    }
    end_event(timeline, &begun);
}

/* A trace has no end of its own. */
static void perfetto_end(struct timeline *timeline) {
    (void)timeline;
}

const struct timeline_format perfetto_timeline = {
    .name = "perfetto",
    .suffixes = " .pftrace .perfetto-trace ",
    .begin = perfetto_begin,
    .process = perfetto_process,
    .thread = perfetto_thread,
    .slice_begin = perfetto_slice_begin,
    .slice_end = perfetto_slice_end,
    .instant = perfetto_instant,
    .end = perfetto_end,
};
