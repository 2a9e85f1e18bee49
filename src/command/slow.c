/*
 * catprobe slow: the tree of calls, with times, of each call that took too long, as soon as it has returned.
 *
 * A call of the function within another call of it is shown when it returns, too, and is then one line in the
 * tree of the outer one.
 */
#ifndef _GNU_SOURCE
#    define _GNU_SOURCE
#endif
#include "clocks.h"
#include "command.h"
#include "records.h"
#include "verbs.h"
#include "viewer/calltree.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { LINES = 200 };

struct slow_verb {
    struct verb_line line; /* first, as the options of all verbs take it */
    int64_t over;          /* ns; 0: not given */
    uint32_t lines;        /* of a tree, at most */
    bool json;

    struct trace_sink sink;
    FILE *out;
    struct labels labels;
    struct tracks tracks;
    struct calltree *trees; /* owned; by index of the track */
    uint32_t tree_count;
    struct text text;       /* to be written */
    uint64_t shown, within; /* calls that took too long; calls of the function that have returned */
    uint64_t clock;         /* ns since 1970 when CLOCK_MONOTONIC was 0 */
};

/* ---- Options ---- */

static int take_over(void *context, const char *argument) {
    struct slow_verb *verb = context;
    return parse_duration("--over", argument, NULL, &verb->over);
}

static int take_lines(void *context, const char *argument) {
    enum { LEAST = 10, MOST = 1000000 };
    struct slow_verb *verb = context;
    char *end;
    long lines = strtol(argument, &end, 10);
    if (end == argument || *end != '\0' || lines < LEAST || lines > MOST) {
        return command_usage_error("--lines takes a number from %d to %d, not %s", LEAST, MOST, argument);
    }
    verb->lines = (uint32_t)lines;
    return STATUS_OK;
}

static int take_json(void *context, const char *argument) {
    struct slow_verb *verb = context;
    (void)argument;
    verb->json = true;
    return STATUS_OK;
}

static const struct verb_option slow_options[] = {
    {"--over", true, take_over},  {"--lines", true, take_lines},
    {"--json", false, take_json}, {"--thread", false, verb_take_thread}, /* as it always is here */
    {NULL, false, NULL},
};

static const struct verb_words slow_words = {
    .tables = (const struct verb_option *const[]){slow_options, verb_options, NULL},
    .take_word = verb_take_pid,
    .take_program = verb_take_program,
};

static int check_options(const struct slow_verb *verb) {
    if (verb->line.function[0] == '\0' && verb->line.file[0] == '\0') {
        return command_usage_error("slow: calls of which function? --function GLOB");
    }
    if (verb->over == 0) {
        return command_usage_error("slow: how long is too long? --over 500ms");
    }
    return STATUS_OK;
}

/* ---- Printing ---- */

/* Nanoseconds as milliseconds. */
static double milliseconds(uint64_t time) {
    return (double)time / 1e6;
}

static void put_base_name(struct text *out, const struct label *label) {
    const char *slash = memrchr(label->file, '/', label->file_length);
    size_t from = slash == NULL ? 0 : (size_t)(slash + 1 - label->file);
    text_clean(out, label->file + from, label->file_length - from);
}

static const char *plural(uint64_t count) {
    return count == 1 ? "" : "s";
}

/* "      0.123 ms   4.5%      3 calls of get  (shop.py:12)" */
static void put_line(struct slow_verb *verb, const struct call *top, const struct call *call,
                     uint32_t depth) {
    struct text *out = &verb->text;
    double share = top->duration == 0 ? 0 : 100.0 * (double)call->duration / (double)top->duration;
    text_format(out, "%12.3f ms %5.1f%%  ", milliseconds(call->duration), share);
    text_repeat(out, ' ', 2 * (size_t)depth);
    if (call->folded > 0) {
        text_format(out, "%llu call%s of ", (unsigned long long)call->folded, plural(call->folded));
    }
    if (call->label == LABEL_NONE) {
        text_string(out, "other functions\n");
        return;
    }
    const struct label *label = &verb->labels.all[call->label];
    text_clean(out, label->name, label->name_length);
    text_string(out, "  (");
    put_base_name(out, label);
    text_format(out, ":%u)%s\n", label->line, call->shown ? "  shown above" : "");
}

static void put_time(struct text *out, uint64_t time) {
    time_t seconds = (time_t)(time / 1000000000);
    char words[64];
    struct tm parts;
    localtime_r(&seconds, &parts);
    strftime(words, sizeof words, "%Y-%m-%d %H:%M:%S", &parts);
    text_format(out, "%s.%03u", words, (unsigned)(time / 1000000 % 1000));
}

/* What is folded in a tree: calls, not counting what they have called. */
static uint64_t folded_in(struct call *top) {
    uint64_t folded = 0;
    uint32_t depth = 0;
    for (struct call *call = top; call != NULL; call = calltree_next(top, call, &depth)) {
        folded += call->folded;
    }
    return folded;
}

/* ", thread worker" or, of one without a name, ", thread 24601". */
static void put_thread(struct text *out, const struct track *track) {
    char unnamed[TRACK_NAME_MAX];
    record_unnamed(track->tid, unnamed);
    text_string(out, ", thread ");
    if (strcmp(track->name, unnamed) == 0) {
        text_format(out, "%u", track->tid);
    } else {
        text_clean(out, track->name, strlen(track->name));
    }
}

static void put_tree(struct slow_verb *verb, const struct track *track, struct call *top) {
    struct text *out = &verb->text;
    const struct label *label = &verb->labels.all[top->label];
    uint64_t folded = folded_in(top);
    uint32_t depth = 0;
    if (verb->shown > 1) {
        text_char(out, '\n');
    }
    put_time(out, verb->clock + top->start);
    text_string(out, "  ");
    text_clean(out, label->name, label->name_length);
    text_format(out, " took %.3f ms in process %u", milliseconds(top->duration), track->pid);
    put_thread(out, track);
    text_char(out, '\n');
    for (struct call *call = top; call != NULL; call = calltree_next(top, call, &depth)) {
        put_line(verb, top, call, depth);
    }
    if (folded > 0) {
        text_format(out, "   (the shortest are folded: %llu call%s, with all that they called)\n",
                    (unsigned long long)folded, plural(folded));
    }
}

static void put_member(struct text *out, const char *name, uint64_t number) {
    text_format(out, ", \"%s\": %llu", name, (unsigned long long)number);
}

static void put_named(struct text *out, const char *name, const char *bytes, size_t length) {
    text_format(out, ", \"%s\": ", name);
    text_json(out, bytes, length);
}

static void put_json_call(struct slow_verb *verb, const struct call *top, const struct call *call) {
    struct text *out = &verb->text;
    uint64_t start = call->start - top->start;
    text_format(out, "{\"start_ns\": %llu", (unsigned long long)start);
    put_member(out, "duration_ns", call->duration);
    if (call->folded > 0) {
        put_member(out, "folded_calls", call->folded);
    }
    if (call->label != LABEL_NONE) {
        const struct label *label = &verb->labels.all[call->label];
        put_named(out, "function", label->name, label->name_length);
        put_named(out, "file", label->file, label->file_length);
        put_member(out, "line", label->line);
    }
    if (call->shown) {
        text_string(out, ", \"shown_before\": true");
    }
    text_string(out, ", \"calls\": [");
}

/* A document on a line. */
static void put_json(struct slow_verb *verb, const struct track *track, struct call *top) {
    struct text *out = &verb->text;
    uint64_t time = verb->clock + top->start;
    text_format(out, "{\"time_ns\": %llu", (unsigned long long)time);
    put_member(out, "pid", track->pid);
    put_member(out, "tid", track->tid);
    put_named(out, "thread", track->name, strlen(track->name));
    text_string(out, ", \"call\": ");
    uint32_t depth = 0, next_depth = 0;
    for (struct call *call = top, *next; call != NULL; call = next, depth = next_depth) {
        put_json_call(verb, top, call);
        next = calltree_next(top, call, &next_depth);
        for (uint32_t closed = next == NULL ? 0 : next_depth; depth + 1 > closed; closed++) {
            text_string(out, "]}");
        }
        if (next != NULL && next_depth <= depth) {
            text_string(out, ", ");
        }
    }
    text_string(out, "}\n");
}

/* ---- Events ---- */

/* NULL: out of memory. */
static struct calltree *tree_of(struct slow_verb *verb, uint32_t thread) {
    if (thread >= verb->tree_count) {
        uint32_t count = thread + 16;
        struct calltree *trees = realloc(verb->trees, count * sizeof *trees);
        if (trees == NULL) {
            return NULL;
        }
        for (uint32_t i = verb->tree_count; i < count; i++) {
            trees[i] = (struct calltree){.limit = verb->lines / 2};
        }
        verb->trees = trees;
        verb->tree_count = count;
    }
    return &verb->trees[thread];
}

static bool take_call(struct slow_verb *verb, uint32_t thread, const struct consumer_record *record) {
    const struct value *values = record->values;
    struct calltree *tree = tree_of(verb, thread);
    bool watched = values[0].integer != 0;
    if (tree == NULL) {
        return false;
    }
    if (tree->top == NULL && !watched) {
        return true; /* the call that it is in was not recorded */
    }
    uint32_t label = record_label(&verb->labels, CATEGORY_FUNCTION, &values[2], &values[3], &values[4]);
    struct call *call = label == LABEL_NONE ? NULL
                                            : calltree_enter(tree, record->time, label,
                                                             record_key(&values[1]), verb->labels.count);
    if (call == NULL) {
        return false;
    }
    call->watched = watched;
    return true;
}

/* False: out of memory. */
static bool watched_returned(struct slow_verb *verb, uint32_t thread, struct calltree *tree,
                             struct call *call) {
    verb->within++;
    if (call->duration < (uint64_t)verb->over) {
        return true;
    }
    verb->shown++;
    call->open = true; /* so that it is not folded itself */
    bool good = calltree_fold(tree, tree->limit, verb->labels.count);
    call->open = false;
    (verb->json ? put_json : put_tree)(verb, &verb->tracks.all[thread], call);
    calltree_cut(tree, call);
    call->shown = true;
    return good;
}

static bool take_return(struct slow_verb *verb, uint32_t thread, const struct consumer_record *record) {
    struct calltree *tree = tree_of(verb, thread);
    if (tree == NULL) {
        return false;
    }
    struct call *call = calltree_return(tree, record->time, record_key(&record->values[0]));
    bool good = call == NULL || !call->watched || watched_returned(verb, thread, tree, call);
    if (tree->top == NULL) {
        calltree_clear(tree);
    }
    return good;
}

static bool take_thread(struct slow_verb *verb, uint32_t thread, const struct consumer_record *record) {
    const struct value *name = &record->values[0];
    if (name->length > 0) {
        tracks_rename(&verb->tracks.all[thread], name->bytes, name->length);
    }
    return true;
}

static const struct taker {
    struct record_kind kind;
    bool (*take)(struct slow_verb *verb, uint32_t thread, const struct consumer_record *record);
} takers[] = {
    {{"call", "IISSI"}, take_call},
    {{"return", "I"}, take_return},
    {{"thread", "S"}, take_thread},
};

static bool take_record(void *context, const struct consumer_record *record) {
    struct slow_verb *verb = context;
    uint32_t thread = record_thread(&verb->tracks, record->pid, record->tid);
    bool good = thread != TRACK_NONE;
    for (size_t i = 0; good && i < sizeof takers / sizeof takers[0]; i++) {
        if (record_is(record, &takers[i].kind)) {
            good = takers[i].take(verb, thread, record);
        }
    }
    if (!good || verb->text.failed) {
        errno = ENOMEM;
        return false;
    }
    return true;
}

static bool passed(void *context) {
    struct slow_verb *verb = context;
    bool good = verb->text.length == 0 ||
                (fwrite(verb->text.data, 1, verb->text.length, verb->out) == verb->text.length &&
                 fflush(verb->out) == 0);
    verb->text.length = 0;
    return good;
}

/* Calls that will not return, or not before the end of the trace, if they are too long already. */
static void tell_open(struct slow_verb *verb, uint32_t thread) {
    const struct track *track = &verb->tracks.all[thread];
    struct calltree *tree = thread < verb->tree_count ? &verb->trees[thread] : NULL;
    uint64_t now = clocks_now();
    for (struct call *call = tree == NULL ? NULL : tree->top; call != NULL; call = call->parent) {
        const struct label *label = &verb->labels.all[call->label];
        if (call->watched && now - call->start >= (uint64_t)verb->over) {
            command_error("%.*s in process %u, thread %s, has not returned after %.3f ms",
                          (int)label->name_length, label->name, track->pid, track->name,
                          milliseconds(now - call->start));
        }
    }
    if (tree != NULL) {
        calltree_clear(tree);
    }
}

static void process_gone(void *context, pid_t pid) {
    struct slow_verb *verb = context;
    for (uint32_t i = 0; i < verb->tracks.count; i++) {
        if (verb->tracks.all[i].pid == (uint32_t)pid) {
            tell_open(verb, i);
        }
    }
}

static bool ended(void *context) {
    struct slow_verb *verb = context;
    if (!passed(context)) {
        return false;
    }
    for (uint32_t i = 0; i < verb->tracks.count; i++) {
        tell_open(verb, i);
    }
    command_error("%llu of %llu call%s took %.3f ms or more", (unsigned long long)verb->shown,
                  (unsigned long long)verb->within, plural(verb->within), milliseconds((uint64_t)verb->over));
    return true;
}

/* ---- The trace ---- */

static uint64_t clock_difference(void) {
    struct timespec time;
    clock_gettime(CLOCK_REALTIME, &time);
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec - clocks_now();
}

static int trace(struct slow_verb *verb) {
    const char *output = verb->line.request.output;
    verb->out = output == NULL ? stdout : fopen(output, "we");
    if (verb->out == NULL) {
        return command_error("failed to open output file '%s': %s", output, strerror(errno));
    }
    verb->sink = (struct trace_sink){
        .output = {.record = take_record, .context = verb},
        .name = output == NULL ? "the output" : output,
        .out = verb->out,
        .passed = passed,
        .process_gone = process_gone,
        .ended = ended,
    };
    verb->clock = clock_difference();
    verb->line.request.sink = &verb->sink;
    int status = verb_run(&verb->line, "slow");
    if (verb->out != stdout && fclose(verb->out) != 0 && status == STATUS_OK) {
        status = command_error("cannot write %s: %s", output, strerror(errno));
    }
    return status;
}

int command_slow(int argc, char **argv) {
    struct slow_verb verb = {.lines = LINES};
    verb_line_open(&verb.line, argc);
    int status = verb_options_take(&slow_words, &verb, argc, argv);
    if (status == STATUS_OK) {
        status = check_options(&verb);
    }
    if (status == STATUS_OK) {
        status = trace(&verb);
    }
    for (uint32_t i = 0; i < verb.tree_count; i++) {
        calltree_free(&verb.trees[i]);
    }
    free(verb.trees);
    text_free(&verb.text);
    labels_free(&verb.labels);
    tracks_free(&verb.tracks);
    verb_line_close(&verb.line);
    return status;
}
