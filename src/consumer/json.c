/*
 * json.c: -x oformat=json: one document, as FreeBSD's dtrace defines it, with each probe firing on a line of
 * its own:
 *
 *      {"dtrace": {"probes": [
 *      {"timestamp": ..., "cpu": ..., "id": ..., "provider": ..., ..., "output": [{"value": 42}]}
 *      ,{...}
 *      ]}}
 *
 * The timestamp is that of the firing. An error has "error" in place of "output"; drops are a pseudo-probe
 * named DROP, and what remains of aggregations at the end is the output of one named AGGREGATIONS. A comma
 * starts a line instead of ending one, so that each line is complete when it appears.
 */
#include "histogram.h"
#include "internal.h"

#include <stdlib.h>
#include <time.h>

static void put_text(struct text *out, const char *string) {
    text_json(out, string, strlen(string));
}

/* `"name": `, with a comma before it unless it is the first of its object. */
static void put_name(struct text *out, const char *name) {
    if (out->length && out->data[out->length - 1] != '{')
        text_string(out, ", ");
    put_text(out, name);
    text_string(out, ": ");
}

static void put_number(struct text *out, const char *name, int64_t number) {
    put_name(out, name);
    text_signed(out, number, 0);
}

static void put_named(struct text *out, const char *name, const char *string, size_t length) {
    put_name(out, name);
    text_json(out, string, length);
}

/* An element of an array: a comma unless it is the first. */
static void put_element(struct text *out) {
    if (out->length && out->data[out->length - 1] != '[')
        text_string(out, ", ");
}

/* The start of a line: the document's or the next object's. */
static void begin_object(struct consumer *consumer) {
    text_string(&consumer->text, consumer->first_object ? "{\"dtrace\": {\"probes\": [\n{" : ",{");
    consumer->first_object = false;
}

static void end_object(struct consumer *consumer) {
    text_string(&consumer->text, "}\n");
}

static void put_hex(struct text *out, const char *bytes, uint32_t length) {
    text_char(out, '"');
    for (uint32_t i = 0; i < length; i++)
        text_format(out, "%02x", (unsigned char)bytes[i]);
    text_char(out, '"');
}

static void put_scalar(struct text *out, const struct value *value) {
    if (value->kind == FIELD_BYTES)
        put_hex(out, value->bytes, value->length);
    else if (value->kind != FIELD_INTEGER)
        text_json(out, value->bytes, value->length);
    else if (value->is_signed)
        text_signed(out, value->integer, 0);
    else
        text_unsigned(out, value_unsigned(value), 0);
}

static void put_value(struct text *out, const struct value *value) {
    put_element(out);
    text_string(out, "{\"value\": ");
    put_scalar(out, value);
    text_char(out, '}');
}

/* A frame "function (file:line)". */
static void put_frame(struct text *out, const char *frame, size_t length) {
    put_element(out);
    text_char(out, '{');
    put_named(out, "symbol", frame, length);
    const char *open = NULL, *colon = NULL;
    for (const char *c = frame; c + 2 < frame + length; c++)
        if (c[0] == ' ' && c[1] == '(' && !open)
            open = c;
    for (const char *c = open; c && c < frame + length; c++)
        if (*c == ':')
            colon = c;
    if (open && colon && frame[length - 1] == ')') {
        put_named(out, "module", open + 2, (size_t)(colon - open - 2));
        put_named(out, "name", frame, (size_t)(open - frame));
        put_named(out, "offset", colon + 1, (size_t)(frame + length - 1 - (colon + 1)));
    }
    text_char(out, '}');
}

static void put_stack(struct text *out, const struct value *value) {
    const char *at = value->bytes, *end = at + value->length;
    put_element(out);
    text_string(out, "{\"ustack-frames\": [");
    while (at < end) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        size_t length = (size_t)((newline ? newline : end) - at);
        put_frame(out, at, length);
        at += length + (newline != NULL);
    }
    text_string(out, "]}");
}

static const struct program_field *field_of(const struct consumer *consumer,
                                            const struct program_action *action, uint32_t i) {
    const struct program_field *fields = program_entries(consumer->program, SECTION_FIELDS);
    return &fields[action->first_field + i];
}

/* trace, stack, tracemem, print: each takes its fields. */
static bool put_fields(struct consumer *consumer, const struct program_action *action,
                       struct firing *firing) {
    struct text *out = &consumer->text;
    struct value value;
    for (uint32_t i = 0; i < action->fields; i++) {
        if (!value_take(&firing->cursor, consumer->program, field_of(consumer, action, i), &value))
            return false;
        if (value.kind == FIELD_STACK) {
            put_stack(out, &value);
        } else if (action->kind == ACTION_TRACEMEM) {
            put_element(out);
            text_string(out, "{\"tracemem\": ");
            put_scalar(out, &value);
            text_char(out, '}');
        } else if (action->kind == ACTION_PRINT && i == 1) {
            put_element(out);
            text_string(out, "{\"type\": [{");
            put_named(out, "name", value.type, strcspn(value.type, "\n"));
            put_name(out, "value");
            put_scalar(out, &value);
            text_string(out, "}]}");
        } else if (action->kind != ACTION_PRINT) {
            put_value(out, &value);
        }
    }
    return true;
}

static bool put_message(struct consumer *consumer, const struct program_action *action,
                        struct firing *firing) {
    struct text *out = &consumer->text, message = {0}, values = {0};
    bool whole = record_format(consumer, &message, action, firing, put_value, &values);
    if (whole) {
        put_element(out);
        text_char(out, '{');
        put_named(out, "message", message.data ? message.data : "", message.length);
        text_char(out, '}');
        if (values.length) {
            put_element(out);
            text_bytes(out, values.data, values.length);
        }
    }
    consumer->text.failed |= message.failed || values.failed;
    text_free(&message);
    text_free(&values);
    return whole;
}

static void put_buckets(struct consumer *consumer, const struct aggregation *aggregation,
                        const int64_t *data) {
    struct text *out = &consumer->text;
    struct histogram histogram;
    if (!histogram_make(&histogram, aggregation->program, data))
        consumer->aggregations.failed = true;
    put_name(out, "buckets");
    text_char(out, '[');
    for (size_t i = 0; i < histogram.count; i++) {
        const struct histogram_row *row = &histogram.rows[i];
        put_element(out);
        text_string(out, "{\"value\": ");
        if (*row->prefix)
            text_format(out, "\"%s%lld\"", row->prefix, (long long)row->label);
        else
            text_signed(out, row->label, 0);
        put_number(out, "count", histogram_count(row, aggregation->normal));
        text_char(out, '}');
    }
    text_char(out, ']');
    histogram_free(&histogram);
}

static void put_aggregate(struct consumer *consumer, const struct aggregation *aggregation,
                          const struct aggregate *aggregate) {
    static const char *const names[] = {
#define AGGREGATING(name, text, fewest, most) text,
        PROGRAM_AGGREGATING(AGGREGATING)
#undef AGGREGATING
    };
    struct text *out = &consumer->text;
    struct cursor cursor = {aggregate->key, aggregate->key + aggregate->key_size};
    struct value key;
    put_element(out);
    text_string(out, "{\"keys\": [");
    for (uint32_t i = 0; i < aggregation->program->keys; i++)
        if (value_take(&cursor, consumer->program, &aggregation->fields[i], &key)) {
            put_element(out);
            put_scalar(out, &key);
        }
    text_char(out, ']');
    if (aggregation->program->function >= AGGREGATING_QUANTIZE)
        put_buckets(consumer, aggregation, aggregate->data);
    else
        put_number(out, names[aggregation->program->function],
                   aggregate_number(aggregation, aggregate->data, true));
    text_char(out, '}');
}

static void put_aggregation(struct consumer *consumer, uint32_t id) {
    struct text *out = &consumer->text;
    const struct aggregation *aggregation = &consumer->aggregations.all[id];
    size_t count;
    const struct aggregate **sorted = aggregation_sorted(&consumer->aggregations, id, &count);
    put_element(out);
    text_string(out, "{\"aggregation-data\": [");
    for (size_t i = 0; i < count; i++)
        put_aggregate(consumer, aggregation, sorted[i]);
    text_char(out, ']');
    const char *name = program_string(consumer->program, aggregation->program->name);
    put_named(out, "aggregation-name", name, strlen(name));
    text_char(out, '}');
    free(sorted);
}

static void put_printa(struct consumer *consumer, const struct program_action *action) {
    uint32_t ids[UINT8_MAX];
    size_t n = printa_ids(consumer, action, ids, UINT8_MAX);
    consumer_snapshot(consumer);
    for (size_t i = 0; i < n; i++) {
        consumer->aggregations.all[ids[i]].printed = true;
        put_aggregation(consumer, ids[i]);
    }
}

static bool put_aggregations(struct consumer *consumer, const struct program_action *action,
                             struct firing *firing) {
    put_printa(consumer, action);
    return record_effect(consumer, action, firing);
}

/* By action; the others print nothing. */
static bool (*const putters[ACTION_COUNT])(struct consumer *, const struct program_action *,
                                           struct firing *) = {
    [ACTION_TRACE] = put_fields, [ACTION_STACK] = put_fields,   [ACTION_TRACEMEM] = put_fields,
    [ACTION_PRINT] = put_fields, [ACTION_PRINTF] = put_message, [ACTION_PRINTA] = put_aggregations,
};

static void put_probe(struct text *out, const struct firing *firing) {
    const struct known_probe *probe = firing->probe;
    const struct value *module = &firing->module, *function = &firing->function;
    put_number(out, "timestamp", (int64_t)firing->record->timestamp);
    put_number(out, "cpu", firing->record->cpu);
    put_number(out, "id", firing->record->probe);
    put_named(out, "provider", probe->provider, strlen(probe->provider));
    put_named(out, "module", module->bytes ? module->bytes : probe->module,
              module->bytes ? module->length : strlen(probe->module));
    put_named(out, "function", function->bytes ? function->bytes : probe->function,
              function->bytes ? function->length : strlen(probe->function));
    put_named(out, "name", probe->name, strlen(probe->name));
}

static void begin_firing(struct consumer *consumer, const struct firing *firing) {
    begin_object(consumer);
    put_probe(&consumer->text, firing);
    put_name(&consumer->text, "output");
    text_char(&consumer->text, '[');
}

static void end_firing(struct consumer *consumer) {
    text_char(&consumer->text, ']');
    end_object(consumer);
}

/* An effect may write itself: an error, or what a command of system() prints. So the object is ended before
   it, and what follows is the output of another. */
void json_record(struct consumer *consumer, struct firing *firing) {
    const struct program_action *actions = program_entries(consumer->program, SECTION_ACTIONS);
    bool open = true, whole = true;
    begin_firing(consumer, firing);
    for (uint32_t i = 0; i < firing->clause->actions && whole; i++) {
        const struct program_action *action = &actions[firing->clause->first_action + i];
        bool prints = action->kind < ACTION_COUNT && putters[action->kind];
        if (prints && !open)
            begin_firing(consumer, firing);
        else if (!prints && open)
            end_firing(consumer);
        open = prints;
        whole = (prints ? putters[action->kind] : record_effect)(consumer, action, firing);
    }
    if (open)
        end_firing(consumer);
    firing->stream->damaged |= !whole;
}

static int64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static void begin_pseudo(struct consumer *consumer, const char *name) {
    struct text *out = &consumer->text;
    begin_object(consumer);
    put_number(out, "cpu", -1);
    put_number(out, "id", -1);
    put_named(out, "provider", "dtrace", 6);
    put_named(out, "module", "INTERNAL", 8);
    put_named(out, "function", "INTERNAL", 8);
    put_named(out, "name", name, strlen(name));
    put_number(out, "timestamp", now());
}

void json_rest(struct consumer *consumer) {
    bool any = false;
    for (uint32_t id = 0; id < consumer->aggregations.count; id++) {
        if (consumer->aggregations.all[id].printed)
            continue;
        if (!any) {
            begin_pseudo(consumer, "AGGREGATIONS");
            put_name(&consumer->text, "output");
            text_char(&consumer->text, '[');
        }
        any = true;
        put_aggregation(consumer, id);
    }
    if (any) {
        text_char(&consumer->text, ']');
        end_object(consumer);
    }
}

void json_error(struct consumer *consumer, const struct firing *firing, const char *message) {
    begin_object(consumer);
    put_probe(&consumer->text, firing);
    put_named(&consumer->text, "error", message, strlen(message));
    end_object(consumer);
}

void json_drop(struct consumer *consumer, unsigned kind, uint64_t count, uint64_t total,
               const char *message) {
    begin_pseudo(consumer, "DROP");
    put_number(&consumer->text, "count", (int64_t)count);
    put_number(&consumer->text, "total", (int64_t)total);
    put_number(&consumer->text, "kind", kind);
    put_named(&consumer->text, "msg", message, strlen(message));
    end_object(consumer);
}

void json_end(struct consumer *consumer) {
    text_string(&consumer->text, consumer->first_object ? "{\"dtrace\": {\"probes\": [\n]}}\n" : "]}}\n");
}
