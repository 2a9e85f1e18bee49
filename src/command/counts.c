/*
 * catprobe calls, calltime, calldist: what their scripts print at the end, as it is, as JSON, or as a
 * picture.
 */
#ifndef _GNU_SOURCE
#    define _GNU_SOURCE
#endif
#include "command.h"
#include "output.h"
#include "verbs.h"
#include "viewer/histograms_svg.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COLUMNS_MAX = 3 };

/* What each verb's printa has, behind the file and the function; in JSON. */
static const struct counts_table {
    const char *verb;
    const char *columns[COLUMNS_MAX];
} tables[] = {
    {"calls", {"calls"}},
    {"calltime", {"calls", "exclusive_us", "inclusive_us"}},
    {"calldist", {"buckets"}},
};

struct counts_verb {
    struct verb_line line; /* first, as the options of all verbs take it */
    const struct counts_table *table;
    bool json;
    const char *svg; /* a file; NULL: no picture */

    struct trace_sink sink;
    const char *path; /* NULL: standard output */
    bool written;
    struct text text; /* to be written */
    uint64_t rows;
    struct histograms_svg picture;
};

/* ---- Options ---- */

static int take_json(void *context, const char *argument) {
    struct counts_verb *verb = context;
    (void)argument;
    verb->json = true;
    return STATUS_OK;
}

static int take_svg(void *context, const char *argument) {
    struct counts_verb *verb = context;
    if (strcmp(verb->table->verb, "calldist") != 0) {
        return command_usage_error("%s draws nothing: --svg is calldist's", verb->table->verb);
    }
    verb->svg = argument;
    return STATUS_OK;
}

static const struct verb_option counts_options[] = {
    {"--thread", false, verb_take_thread},
    {"--json", false, take_json},
    {"--svg", true, take_svg},
    {NULL, false, NULL},
};

static const struct verb_words counts_words = {
    .tables = (const struct verb_option *const[]){counts_options, verb_options, NULL},
    .take_word = verb_take_pid,
    .take_program = verb_take_program,
};

static int check_options(const struct counts_verb *verb) {
    if (verb->svg != NULL && (verb->json || verb->line.request.output != NULL)) {
        return command_usage_error("--svg FILE is all that is written: neither --json nor -o goes with it");
    }
    return STATUS_OK;
}

/* ---- JSON ---- */

static void put_named(struct text *out, const char *name, const struct value *value) {
    text_format(out, "\"%s\": ", name);
    text_json(out, value->bytes, value->length);
}

static void put_buckets(struct text *out, const struct histogram *histogram) {
    bool first = true;
    text_char(out, '[');
    for (size_t i = 0; i < histogram->count; i++) {
        const struct histogram_row *row = &histogram->rows[i];
        if (row->count > 0) {
            text_format(out, "%s{\"from_us\": %lld, \"calls\": %lld}", first ? "" : ", ",
                        (long long)row->label, (long long)row->count);
            first = false;
        }
    }
    text_char(out, ']');
}

/* The thread, when it has one, is the first key; then the file and the function. */
static void put_json_row(struct counts_verb *verb, const struct consumer_row *row) {
    struct text *out = &verb->text;
    const struct value *keys = row->keys;
    text_string(out, verb->rows > 0 ? ",\n{" : "\n{");
    if (row->key_count > 2) {
        text_format(out, "\"tid\": %lld, ", (long long)keys++->integer);
    }
    put_named(out, "file", &keys[0]);
    text_string(out, ", ");
    put_named(out, "function", &keys[1]);
    for (size_t i = 0; i < row->count && i < COLUMNS_MAX && verb->table->columns[i] != NULL; i++) {
        text_format(out, ", \"%s\": ", verb->table->columns[i]);
        if (row->histograms[i].count > 0) {
            put_buckets(out, &row->histograms[i]);
        } else {
            text_signed(out, row->numbers[i], 0);
        }
    }
    text_char(out, '}');
}

/* ---- The picture ---- */

static void put_picture_row(struct counts_verb *verb, const struct consumer_row *row) {
    const struct value *keys = row->keys;
    struct text title = {0};
    if (row->key_count > 2) {
        text_format(&title, "thread %lld, ", (long long)keys++->integer);
    }
    text_bytes(&title, keys[1].bytes, keys[1].length);
    text_string(&title, "  ");
    text_bytes(&title, keys[0].bytes, keys[0].length);
    histograms_svg_add(&verb->picture, &row->histograms[0], title.data, title.length);
    verb->picture.panels.failed |= title.failed;
    text_free(&title);
}

/* ---- The sink ---- */

static bool take_record(void *context, const struct consumer_record *record) {
    (void)context;
    (void)record; /* the heading */
    return true;
}

static bool take_row(void *context, const struct consumer_row *row) {
    struct counts_verb *verb = context;
    (verb->json ? put_json_row : put_picture_row)(verb, row);
    verb->rows++;
    return true;
}

static bool ended(void *context) {
    struct counts_verb *verb = context;
    struct text *out = &verb->text;
    if (verb->json) {
        text_string(out, verb->rows > 0 ? "\n]}\n" : "]}\n");
    } else {
        histograms_svg_write(&verb->picture, out, "How long each call took, with all that it called");
    }
    if (out->failed) {
        errno = ENOMEM;
        return false;
    }
    if (verb->path == NULL) {
        return fwrite(out->data, 1, out->length, stdout) == out->length && fflush(stdout) == 0;
    }
    verb->written = output_write(verb->path, out->data, out->length);
    if (verb->written && !verb->json) {
        command_error("%s: %llu histogram%s", verb->svg, (unsigned long long)verb->rows,
                      verb->rows == 1 ? "" : "s");
    }
    return true;
}

/* ---- The trace ---- */

static int trace(struct counts_verb *verb) {
    verb->path = verb->svg != NULL ? verb->svg : verb->line.request.output;
    if (verb->path != NULL && !output_check(verb->path)) {
        return STATUS_FAILED;
    }
    if (verb->json) {
        text_format(&verb->text, "{\"verb\": \"%s\", \"functions\": [", verb->table->verb);
    }
    verb->sink = (struct trace_sink){
        .output = {.record = take_record, .row = take_row, .context = verb},
        .name = "the output",
        .out = verb->path == NULL ? stdout : NULL,
        .ended = ended,
    };
    verb->line.request.sink = &verb->sink;
    if (verb->svg != NULL) {
        verb->line.request.compiler.options[OPTION_AGGSORTREV] = 1; /* the most expensive at the top */
    }
    int status = verb_run(&verb->line, verb->table->verb);
    return status == STATUS_OK && verb->path != NULL && !verb->written ? STATUS_FAILED : status;
}

int command_counts(int argc, char **argv) {
    struct counts_verb verb = {.table = tables};
    while (strcmp(verb.table->verb, argv[0]) != 0) {
        verb.table++;
    }
    verb_line_open(&verb.line, argc);
    int status = verb_options_take(&counts_words, &verb, argc, argv);
    if (status == STATUS_OK) {
        status = check_options(&verb);
    }
    if (status == STATUS_OK) {
        status = verb.json || verb.svg != NULL ? trace(&verb) : verb_run(&verb.line, argv[0]);
    }
    text_free(&verb.text);
    histograms_svg_free(&verb.picture);
    verb_line_close(&verb.line);
    return status;
}
