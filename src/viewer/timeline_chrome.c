/*
 * timeline_chrome.c: a timeline as JSON of the Trace Event Format, for chrome://tracing, Perfetto,
 * speedscope: complete events ("X"), instants ("i") and names ("M"), each on a line. Times are microseconds.
 */
#include "timeline.h"

/* The next event's start, up to its name. */
static void begin_event(struct timeline *timeline, const char *phase, const struct label *label) {
    struct text *out = &timeline->out;
    text_string(out, timeline->objects++ > 0 ? ",\n{\"ph\":\"" : "{\"ph\":\"");
    text_string(out, phase);
    text_string(out, "\",\"name\":");
    if (label != NULL) {
        text_json(out, label->name, label->name_length);
        text_string(out, ",\"cat\":\"");
        text_string(out, category_words[label->category].name);
        text_char(out, '"');
    }
}

static void put_number(struct text *out, const char *name, int64_t number) {
    text_char(out, '"');
    text_string(out, name);
    text_string(out, "\":");
    text_signed(out, number, 0);
}

/* Nanoseconds as microseconds. */
static void put_time(struct text *out, const char *name, uint64_t time) {
    char digits[] = {'.', (char)('0' + time / 100 % 10), (char)('0' + time / 10 % 10),
                     (char)('0' + time % 10)};
    text_string(out, ",\"");
    text_string(out, name);
    text_string(out, "\":");
    text_unsigned(out, time / 1000, 0);
    text_bytes(out, digits, sizeof digits);
}

static void put_thread(struct timeline *timeline, uint32_t thread) {
    const struct track *track = &timeline->settings.tracks->all[thread];
    struct text *out = &timeline->out;
    text_char(out, ',');
    put_number(out, "pid", track->pid);
    text_char(out, ',');
    put_number(out, "tid", track->tid);
}

static void begin_arguments(struct text *out) {
    text_string(out, ",\"args\":{");
}

static void separate(struct text *out) {
    if (out->data != NULL && out->data[out->length - 1] != '{') {
        text_char(out, ',');
    }
}

static void put_place(struct text *out, const struct label *label) {
    if (label->file_length > 0) {
        text_string(out, "\"file\":");
        text_json(out, label->file, label->file_length);
        text_char(out, ',');
        put_number(out, "line", label->line);
    }
}

static void chrome_begin(struct timeline *timeline) {
    text_string(&timeline->out, "{\"displayTimeUnit\":\"ns\",\"otherData\":{\"producer\":\"catprobe\","
                                "\"clock\":\"CLOCK_MONOTONIC\"},\"traceEvents\":[\n");
}

static void put_name(struct text *out, const char *name) {
    begin_arguments(out);
    text_string(out, "\"name\":");
    text_json(out, name, strlen(name));
    text_string(out, "}}");
}

static void chrome_process(struct timeline *timeline, const struct track_process *process) {
    struct text *out = &timeline->out;
    begin_event(timeline, "M", NULL);
    text_string(out, "\"process_name\",");
    put_number(out, "pid", process->pid);
    put_name(out, process->name);
}

static void chrome_thread(struct timeline *timeline, uint32_t thread) {
    begin_event(timeline, "M", NULL);
    text_string(&timeline->out, "\"thread_name\"");
    put_thread(timeline, thread);
    put_name(&timeline->out, timeline->settings.tracks->all[thread].name);
}

/* A slice is written when it has ended. */
static void chrome_slice_begin(struct timeline *timeline, uint32_t thread, const struct slice *slice) {
    (void)timeline;
    (void)thread;
    (void)slice;
}

static void chrome_slice_end(struct timeline *timeline, uint32_t thread, const struct slice *slice,
                             uint64_t time, const int64_t *number) {
    const struct label *label = &timeline->settings.labels->all[slice->label];
    const char *number_name = category_words[slice->category].number;
    struct text *out = &timeline->out;
    begin_event(timeline, "X", label);
    put_time(out, "ts", slice->start);
    put_time(out, "dur", time - slice->start);
    put_thread(timeline, thread);
    begin_arguments(out);
    put_place(out, label);
    if (number != NULL && number_name != NULL) {
        separate(out);
        put_number(out, number_name, *number);
    }
    if (slice->earlier > 0) {
        separate(out);
        put_number(out, "began_earlier_ns", (int64_t)slice->earlier);
    }
    text_string(out, "}}");
}

static void chrome_instant(struct timeline *timeline, const struct timeline_event *event) {
    const struct label *label = &timeline->settings.labels->all[event->label];
    const char *text_name = category_words[event->category].text;
    struct text *out = &timeline->out;
    begin_event(timeline, "i", label);
    text_string(out, ",\"s\":\"t\"");
    put_time(out, "ts", event->time);
    put_thread(timeline, event->thread);
    begin_arguments(out);
    put_place(out, label);
    if (text_name != NULL && event->length > 0) {
        separate(out);
        text_json(out, text_name, strlen(text_name));
        text_char(out, ':');
        text_json(out, event->text, event->length);
    }
    text_string(out, "}}");
}

static void chrome_end(struct timeline *timeline) {
    text_string(&timeline->out, "\n]}\n");
}

const struct timeline_format chrome_timeline = {
    .name = "chrome",
    .suffixes = " .json ",
    .begin = chrome_begin,
    .process = chrome_process,
    .thread = chrome_thread,
    .slice_begin = chrome_slice_begin,
    .slice_end = chrome_slice_end,
    .instant = chrome_instant,
    .end = chrome_end,
};
