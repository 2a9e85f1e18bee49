/*
 * catprobe timeline: the events of its script as a timeline in a file; or, with --last, in a flight recorder,
 * which is written when a key, a signal or a D predicate says so.
 */
#ifndef _GNU_SOURCE
#    define _GNU_SOURCE
#endif
#include "viewer/timeline.h"
#include "clocks.h"
#include "command.h"
#include "keys.h"
#include "output.h"
#include "records.h"
#include "verbs.h"
#include "viewer/recorder.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATH_SIZE = 4096 };

/* A predicate may hold a million times a second. */
static const uint64_t BETWEEN_FILES = 1000000000;

static const struct timeline_format *const formats[] = {&perfetto_timeline, &chrome_timeline};

enum { FORMATS = sizeof formats / sizeof formats[0] };

struct timeline_verb {
    struct verb_line line; /* first, as the options of all verbs take it */
    const struct timeline_format *format;
    int64_t min_duration; /* ns */
    uint64_t last;        /* bytes of the flight recorder; 0: everything is written at once */
    const char *when;     /* a D expression, or NULL */
    bool no_exceptions;

    struct trace_sink sink;
    struct labels labels;
    struct tracks tracks;
    struct timeline timeline;  /* the file being written */
    struct recorder *recorder; /* owned; NULL without --last */
    int fd;                    /* of the file, or -1 */
    char path[PATH_SIZE];      /* its name */
    unsigned files;            /* written so far by the recorder */
    uint64_t written;          /* when the last one was, ns */
    uint64_t passed_over;      /* times that the predicate held too soon after a file */
    uint64_t unmatched;        /* returns without a beginning, so far */
};

/* ---- Options ---- */

static int take_format(void *context, const char *argument) {
    struct timeline_verb *verb = context;
    for (size_t i = 0; i < FORMATS; i++) {
        if (strcmp(formats[i]->name, argument) == 0) {
            verb->format = formats[i];
            return STATUS_OK;
        }
    }
    return command_usage_error("--format takes perfetto or chrome, not %s", argument);
}

static int take_min_duration(void *context, const char *argument) {
    struct timeline_verb *verb = context;
    return parse_duration("--min-duration", argument, NULL, &verb->min_duration);
}

static int take_last(void *context, const char *argument) {
    struct timeline_verb *verb = context;
    int status = parse_size("--last", argument, &verb->last);
    if (status == STATUS_OK && verb->last < RECORDER_LEAST) {
        return command_usage_error("--last takes at least 1M, not %s", argument);
    }
    uint64_t memory = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
    if (status == STATUS_OK && verb->last >= memory) {
        return command_usage_error("--last takes less than this machine's memory, not %s", argument);
    }
    return status;
}

static int take_when(void *context, const char *argument) {
    struct timeline_verb *verb = context;
    verb->when = argument;
    return STATUS_OK;
}

static int take_no_exceptions(void *context, const char *argument) {
    struct timeline_verb *verb = context;
    (void)argument;
    verb->no_exceptions = true;
    return STATUS_OK;
}

static const struct verb_option timeline_options[] = {
    {"--format", true, take_format},
    {"--min-duration", true, take_min_duration},
    {"--last", true, take_last},
    {"--when", true, take_when},
    {"--no-exceptions", false, take_no_exceptions},
    {"--thread", false, verb_take_thread}, /* as it always is here */
    {NULL, false, NULL},
};

static const struct verb_words timeline_words = {
    .tables = (const struct verb_option *const[]){timeline_options, verb_options, NULL},
    .take_word = verb_take_pid,
    .take_program = verb_take_program,
};

static const struct timeline_format *format_of(const char *path) {
    const char *slash = strrchr(path, '/');
    const char *suffix = strrchr(slash == NULL ? path : slash, '.');
    char word[32];
    snprintf(word, sizeof word, " %s ", suffix == NULL ? "." : suffix);
    for (size_t i = 0; i < FORMATS; i++) {
        if (strstr(formats[i]->suffixes, word) != NULL) {
            return formats[i];
        }
    }
    return NULL;
}

static int check_options(struct timeline_verb *verb) {
    const char *output = verb->line.request.output;
    if (output == NULL) {
        return command_usage_error("timeline: to which file? -o FILE.pftrace or -o FILE.json");
    }
    if (verb->format == NULL) {
        verb->format = format_of(output);
    }
    if (verb->format == NULL) {
        return command_usage_error(
            "timeline: %s ends neither in .pftrace, .perfetto-trace nor .json: --format perfetto or chrome?",
            output);
    }
    if (verb->when != NULL && verb->last == 0) {
        return command_usage_error("--when says when what --last SIZE keeps is to be written: give both");
    }
    return STATUS_OK;
}

/* ---- Files ---- */

static struct timeline_settings settings_of(struct timeline_verb *verb) {
    return (struct timeline_settings){
        .format = verb->format,
        .fd = verb->fd,
        .labels = &verb->labels,
        .tracks = &verb->tracks,
        .start = clocks_now(),
        .min_duration = (uint64_t)verb->min_duration,
    };
}

/* False: errno. */
static bool open_file(struct timeline_verb *verb) {
    verb->fd = open(verb->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    return verb->fd >= 0;
}

static bool close_file(struct timeline_verb *verb) {
    int fd = verb->fd;
    verb->fd = -1;
    return fd < 0 || close(fd) == 0;
}

static void tell_file(const struct timeline_verb *verb) {
    const struct timeline *timeline = &verb->timeline;
    char left_out[64] = "";
    if (timeline->left_out > 0) {
        snprintf(left_out, sizeof left_out, ", %llu shorter ones left out",
                 (unsigned long long)timeline->left_out);
    }
    bool large = timeline->size >= 1 << 20;
    command_error("%s: %llu slices of %u thread%s%s, %.1f %s", verb->path,
                  (unsigned long long)timeline->slices, timeline->thread_count,
                  timeline->thread_count == 1 ? "" : "s", left_out,
                  (double)timeline->size / (large ? 1 << 20 : 1 << 10), large ? "MB" : "KB");
}

/* FILE, then FILE.2 and so on. */
static void next_path(struct timeline_verb *verb) {
    const char *output = verb->line.request.output;
    verb->files++;
    if (verb->files == 1) {
        snprintf(verb->path, sizeof verb->path, "%s", output);
    } else {
        snprintf(verb->path, sizeof verb->path, "%s.%u", output, verb->files);
    }
}

/* False: errno. */
static bool write_recorder(struct timeline_verb *verb) {
    next_path(verb);
    if (!open_file(verb)) {
        return false;
    }
    struct timeline_settings settings = settings_of(verb);
    bool good = recorder_write(verb->recorder, &verb->timeline, &settings, clocks_now());
    int saved = errno;
    verb->unmatched += verb->timeline.unmatched;
    if (!close_file(verb) && good) {
        saved = errno;
        good = false;
    }
    if (good) {
        tell_file(verb);
    }
    timeline_close(&verb->timeline);
    verb->timeline = (struct timeline){.threads = NULL};
    verb->written = clocks_now();
    errno = saved;
    return good;
}

/* ---- Events ---- */

static bool keep_event(struct timeline_verb *verb, const struct timeline_event *event) {
    return verb->recorder != NULL ? recorder_event(verb->recorder, event)
                                  : timeline_event(&verb->timeline, event);
}

/* Each takes one kind of record. `event` has its time and thread; false: there is nothing to keep of it. */

static bool take_call(struct timeline_verb *verb, const struct value *values, struct timeline_event *event) {
    event->kind = TIMELINE_BEGIN;
    event->key = record_key(&values[0]);
    event->label = record_label(&verb->labels, CATEGORY_FUNCTION, &values[1], &values[2], &values[3]);
    return true;
}

static bool take_return(struct timeline_verb *verb, const struct value *values,
                        struct timeline_event *event) {
    (void)verb;
    event->kind = TIMELINE_END;
    event->key = record_key(&values[0]);
    return true;
}

static bool take_left(struct timeline_verb *verb, const struct value *values, struct timeline_event *event) {
    take_call(verb, values, event);
    event->kind = TIMELINE_END;
    return true;
}

static bool take_raise(struct timeline_verb *verb, const struct value *values, struct timeline_event *event) {
    event->kind = TIMELINE_INSTANT;
    event->category = CATEGORY_EXCEPTION;
    event->label = record_label(&verb->labels, CATEGORY_EXCEPTION, &values[0], &values[2], &values[3]);
    event->text = values[1].bytes;
    event->length = values[1].length;
    return true;
}

static bool take_collect(struct timeline_verb *verb, const struct value *values,
                         struct timeline_event *event) {
    char name[48];
    snprintf(name, sizeof name, "gc generation %lld", (long long)values[0].integer);
    struct value text = {.bytes = name, .length = (uint32_t)strlen(name)};
    event->kind = TIMELINE_BEGIN;
    event->category = CATEGORY_GC;
    event->label = record_label(&verb->labels, CATEGORY_GC, &text, NULL, NULL);
    return true;
}

static bool take_collected(struct timeline_verb *verb, const struct value *values,
                           struct timeline_event *event) {
    (void)verb;
    event->kind = TIMELINE_END;
    event->category = CATEGORY_GC;
    event->number = values[0].integer;
    return true;
}

static bool take_import(struct timeline_verb *verb, const struct value *values,
                        struct timeline_event *event) {
    struct text name = {0};
    text_string(&name, "import ");
    text_bytes(&name, values[0].bytes, values[0].length);
    struct value text = {.bytes = name.data, .length = (uint32_t)name.length};
    event->kind = TIMELINE_BEGIN;
    event->category = CATEGORY_IMPORT;
    event->label = name.failed ? LABEL_NONE : record_label(&verb->labels, CATEGORY_IMPORT, &text, NULL, NULL);
    event->key = event->label;
    text_free(&name);
    return true;
}

static bool take_imported(struct timeline_verb *verb, const struct value *values,
                          struct timeline_event *event) {
    take_import(verb, values, event);
    event->kind = TIMELINE_END;
    event->label = LABEL_NONE;
    event->number = values[1].integer;
    return true;
}

static bool take_thread(struct timeline_verb *verb, const struct value *values,
                        struct timeline_event *event) {
    if (values[0].length > 0) {
        tracks_rename(&verb->tracks.all[event->thread], values[0].bytes, values[0].length);
    }
    return false;
}

static bool take_exit(struct timeline_verb *verb, const struct value *values, struct timeline_event *event) {
    (void)verb;
    (void)values;
    event->kind = TIMELINE_THREAD_ENDED;
    return true;
}

static const struct taker {
    struct record_kind kind;
    bool (*take)(struct timeline_verb *verb, const struct value *values, struct timeline_event *event);
} takers[] = {
    {{"call", "ISSI"}, take_call},    {{"return", "I"}, take_return},
    {{"left", "ISSI"}, take_left},    {{"raise", "SSSI"}, take_raise},
    {{"collect", "I"}, take_collect}, {{"collected", "I"}, take_collected},
    {{"import", "S"}, take_import},   {{"imported", "SI"}, take_imported},
    {{"thread", "S"}, take_thread},   {{"exit", ""}, take_exit},
};

static const struct record_kind write_kind = {"write", ""};

/* The predicate holds. */
static bool told_by_predicate(struct timeline_verb *verb) {
    if (verb->files > 0 && clocks_now() < verb->written + BETWEEN_FILES) {
        verb->passed_over++;
        return true;
    }
    return write_recorder(verb);
}

static bool take_record(void *context, const struct consumer_record *record) {
    struct timeline_verb *verb = context;
    struct timeline_event event = {.time = record->time, .label = LABEL_NONE};
    if (record_is(record, &write_kind)) {
        return told_by_predicate(verb);
    }
    event.thread = record_thread(&verb->tracks, record->pid, record->tid);
    if (event.thread == TRACK_NONE) {
        errno = ENOMEM;
        return false;
    }
    for (size_t i = 0; i < sizeof takers / sizeof takers[0]; i++) {
        if (record_is(record, &takers[i].kind)) {
            if (!takers[i].take(verb, record->values, &event)) {
                return true;
            }
            if (event.label == LABEL_NONE && event.kind != TIMELINE_END &&
                event.kind != TIMELINE_THREAD_ENDED) {
                errno = ENOMEM;
                return false;
            }
            return keep_event(verb, &event);
        }
    }
    return true;
}

static void process_gone(void *context, pid_t pid) {
    struct timeline_verb *verb = context;
    struct timeline_event event = {.time = clocks_now(), .label = LABEL_NONE, .kind = TIMELINE_THREAD_ENDED};
    for (uint32_t i = 0; i < verb->tracks.count; i++) {
        event.thread = i;
        if (verb->tracks.all[i].pid == (uint32_t)pid && !keep_event(verb, &event)) {
            return; /* the next record fails in the same way, and says so */
        }
    }
}

/* A key, or the signal. */
static bool woken(void *context) {
    struct timeline_verb *verb = context;
    return !keys_take(verb->sink.wakes) || write_recorder(verb);
}

static void tell_losses(const struct timeline_verb *verb, uint64_t unmatched) {
    if (unmatched > 0) {
        command_error("%llu returns of calls whose beginning was not recorded are left out",
                      (unsigned long long)unmatched);
    }
    if (verb->passed_over > 0) {
        command_error("--when held %llu more times, less than a second after a file was written",
                      (unsigned long long)verb->passed_over);
    }
}

static bool ended(void *context) {
    struct timeline_verb *verb = context;
    if (verb->recorder == NULL) {
        if (!timeline_finish(&verb->timeline, clocks_now()) || !close_file(verb)) {
            return false;
        }
        tell_file(verb);
        tell_losses(verb, verb->timeline.unmatched);
        return true;
    }
    if (verb->when == NULL && !write_recorder(verb)) {
        return false;
    }
    if (verb->files == 0) {
        command_error("--when did not hold: nothing was written");
    }
    tell_losses(verb, verb->unmatched);
    return true;
}

/* ---- The trace ---- */

/* A file that cannot be written is told before anything is traced; an older one is kept until then. */
static bool begins(void *context) {
    struct timeline_verb *verb = context;
    if (verb->last > 0) {
        verb->recorder = recorder_open(verb->last);
        if (verb->recorder == NULL) {
            command_error("out of memory");
        }
        return verb->recorder != NULL && output_check(verb->line.request.output);
    }
    snprintf(verb->path, sizeof verb->path, "%s", verb->line.request.output);
    if (!open_file(verb)) {
        command_error("failed to open output file '%s': %s", verb->path, strerror(errno));
        return false;
    }
    struct timeline_settings settings = settings_of(verb);
    if (!timeline_open(&verb->timeline, &settings)) {
        command_error("cannot write %s: %s", verb->path, strerror(errno));
        return false;
    }
    return true;
}

static int trace(struct timeline_verb *verb) {
    verb->sink = (struct trace_sink){
        .output = {.record = take_record, .context = verb},
        .name = verb->path,
        .begins = begins,
        .process_gone = process_gone,
        .ended = ended,
        .wakes = {-1, -1},
        .woken = woken,
    };
    if (verb->last > 0 &&
        !keys_open(verb->sink.wakes, verb->line.request.program == NULL, "writes what was recorded last")) {
        return STATUS_FAILED;
    }
    const struct verb_place places[] = {
        {"exceptions", NULL, !verb->no_exceptions},
        {"when", NULL, verb->when != NULL},
        {"expression", verb->when == NULL ? "" : verb->when, false},
    };
    memcpy(verb->line.places, places, sizeof places);
    verb->line.request.sink = &verb->sink;
    int status = verb_run(&verb->line, "timeline");
    keys_close(verb->sink.wakes);
    return status;
}

int command_timeline(int argc, char **argv) {
    struct timeline_verb verb = {.fd = -1};
    verb_line_open(&verb.line, argc);
    int status = verb_options_take(&timeline_words, &verb, argc, argv);
    if (status == STATUS_OK) {
        status = check_options(&verb);
    }
    if (status == STATUS_OK) {
        status = trace(&verb);
    }
    close_file(&verb);
    timeline_close(&verb.timeline);
    recorder_close(verb.recorder);
    labels_free(&verb.labels);
    tracks_free(&verb.tracks);
    verb_line_close(&verb.line);
    return status;
}
