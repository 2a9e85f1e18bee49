/*
 * record.c: what one record makes the consumer do: the line of the default output, flow indentation, and the
 * actions of its clause one after the other.
 */
#ifndef _GNU_SOURCE
#    define _GNU_SOURCE
#endif
#include "internal.h"
#include "print.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct value_style record_style(const struct consumer *consumer) {
    return (struct value_style){.quiet = consumer->quiet,
                                .raw = consumer->options[OPTION_RAWBYTES] != 0,
                                .stack_indent = (int)consumer->options[OPTION_STACKINDENT]};
}

static const struct program_field *fields_of(const struct consumer *consumer,
                                             const struct program_action *action) {
    const struct program_field *fields = program_entries(consumer->program, SECTION_FIELDS);
    return fields + action->first_field;
}

/* printf */

static bool take_number(const struct consumer *consumer, struct cursor *cursor,
                        const struct program_field *field, int *number) {
    struct value value;
    if (!value_take(cursor, consumer->program, field, &value))
        return false;
    *number = value.integer > INT_MAX ? INT_MAX : value.integer < -INT_MAX ? -INT_MAX : (int)value.integer;
    return true;
}

bool record_take_stars(const struct consumer *consumer, struct cursor *cursor,
                       const struct program_field **field, const struct program_field *end,
                       struct format_part *part) {
    if (part->dynamic_width && *field < end) {
        if (!take_number(consumer, cursor, (*field)++, &part->width))
            return false;
        if (part->width < 0) {
            part->left = true;
            part->width = -part->width;
        }
    }
    return !part->dynamic_precision || *field == end ||
           take_number(consumer, cursor, (*field)++, &part->precision);
}

bool record_format(struct consumer *consumer, struct text *out, const struct program_action *action,
                   struct firing *firing, void (*each)(struct text *, const struct value *),
                   struct text *to) {
    const struct program_action *actions = program_entries(consumer->program, SECTION_ACTIONS);
    const struct format *format = &consumer->formats[action - actions];
    const struct program_field *field = fields_of(consumer, action), *end = field + action->fields;
    struct value value;

    for (size_t i = 0; i < format->count; i++) {
        const struct format_part *part = &format->parts[i];
        if (part->text_length) {
            text_bytes(out, part->text, part->text_length);
            continue;
        }
        struct format_part dynamic;
        if (part->dynamic_width || part->dynamic_precision) {
            dynamic = *part;
            if (!record_take_stars(consumer, &firing->cursor, &field, end, &dynamic))
                return false;
            part = &dynamic;
        }
        if (part->conversion->class == CONVERSION_NONE) {
            text_char(out, '%');
            continue;
        }
        if (field == end)
            return true;
        if (!value_take(&firing->cursor, consumer->program, field++, &value))
            return false;
        value_convert(out, part, &value);
        if (each)
            each(to, &value);
    }
    while (field < end)
        if (!value_take(&firing->cursor, consumer->program, field++, &value))
            return false;
    return true;
}

/* The effects. */

typedef bool effect(struct consumer *consumer, const struct program_action *action, struct firing *firing);

static bool skip_fields(struct consumer *consumer, const struct program_action *action,
                        struct firing *firing) {
    struct value value;
    for (uint32_t i = 0; i < action->fields; i++)
        if (!value_take(&firing->cursor, consumer->program, &fields_of(consumer, action)[i], &value))
            return false;
    return true;
}

/* An action's only number, `fallback` if it has none. */
static bool take_argument(struct consumer *consumer, const struct program_action *action,
                          struct firing *firing, int64_t fallback, int64_t *number) {
    struct value value = {.integer = fallback};
    if (action->fields &&
        !value_take(&firing->cursor, consumer->program, fields_of(consumer, action), &value))
        return false;
    *number = value.integer;
    return true;
}

void record_set_exit(struct consumer *consumer, int status) {
    consumer->exit_status = status; /* of several the last counts */
    consumer->exited = true;
}

static bool do_exit(struct consumer *consumer, const struct program_action *action, struct firing *firing) {
    int64_t status;
    if (!take_argument(consumer, action, firing, 0, &status))
        return false;
    record_set_exit(consumer, (int)status);
    return true;
}

static struct aggregation *first_aggregation(struct consumer *consumer, const struct program_action *action) {
    uint32_t id;
    return printa_ids(consumer, action, &id, 1) ? &consumer->aggregations.all[id] : NULL;
}

static bool do_clear(struct consumer *consumer, const struct program_action *action, struct firing *firing) {
    struct aggregation *aggregation = first_aggregation(consumer, action);
    if (aggregation) {
        consumer_snapshot(consumer);
        aggregations_clear(&consumer->aggregations, aggregation->id);
    }
    return skip_fields(consumer, action, firing);
}

static bool do_trunc(struct consumer *consumer, const struct program_action *action, struct firing *firing) {
    struct aggregation *aggregation = first_aggregation(consumer, action);
    int64_t keep;
    if (!take_argument(consumer, action, firing, 0, &keep))
        return false;
    if (aggregation) {
        consumer_snapshot(consumer);
        aggregations_truncate(&consumer->aggregations, aggregation->id, keep);
    }
    return true;
}

static bool do_normalize(struct consumer *consumer, const struct program_action *action,
                         struct firing *firing) {
    struct aggregation *aggregation = first_aggregation(consumer, action);
    int64_t normal;
    if (!take_argument(consumer, action, firing, 1, &normal))
        return false;
    if (normal == 0)
        message_error(consumer, firing, "cannot normalize by zero");
    else if (aggregation)
        aggregation->normal = (uint64_t)normal;
    return true;
}

static bool do_denormalize(struct consumer *consumer, const struct program_action *action,
                           struct firing *firing) {
    struct aggregation *aggregation = first_aggregation(consumer, action);
    if (aggregation)
        aggregation->normal = 1;
    return skip_fields(consumer, action, firing);
}

/* Which options setopt() may change while the session runs; the others have had their effect. */
static const struct {
    const char *name;
    enum option option;
    enum { CHANGE_FLAG, CHANGE_NUMBER, CHANGE_RATE } kind;
} changeable[] = {
    {"aggrate", OPTION_AGGRATE, CHANGE_RATE},
    {"aggsortkey", OPTION_AGGSORTKEY, CHANGE_FLAG},
    {"aggsortkeypos", OPTION_AGGSORTKEYPOS, CHANGE_NUMBER},
    {"aggsortpos", OPTION_AGGSORTPOS, CHANGE_NUMBER},
    {"aggsortrev", OPTION_AGGSORTREV, CHANGE_FLAG},
    {"flowindent", OPTION_FLOWINDENT, CHANGE_FLAG},
    {"quiet", OPTION_QUIET, CHANGE_FLAG},
    {"rawbytes", OPTION_RAWBYTES, CHANGE_FLAG},
    {"stackindent", OPTION_STACKINDENT, CHANGE_NUMBER},
    {"switchrate", OPTION_SWITCHRATE, CHANGE_RATE},
};

static const char invalid_value[] = "Invalid value for specified option";

/* A rate is checked, and that is all: records are shown as soon as they can be. */
static const char *change(int64_t *option, int kind, const char *text) {
    char *end;
    errno = 0;
    long long number = strtoll(text, &end, 0);
    bool is_number = *text != '\0' && errno == 0 && number >= 0 && number <= INT_MAX;
    switch (kind) {
    case CHANGE_RATE:
        return is_number && program_time_unit(*end ? end : "hz") >= 0 ? NULL : invalid_value;
    case CHANGE_NUMBER:
        if (!is_number || *end != '\0')
            return invalid_value;
        *option = number;
        return NULL;
    default:
        return program_read_flag(*text ? text : "1", option) ? NULL : invalid_value;
    }
}

/* NULL, or why not, in DTrace's words. */
static const char *set_option(struct consumer *consumer, const char *name, const char *text) {
    for (size_t i = 0; i < sizeof changeable / sizeof changeable[0]; i++) {
        if (strcmp(changeable[i].name, name) != 0)
            continue;
        return change(&consumer->options[changeable[i].option], changeable[i].kind, text);
    }
    static const struct {
        const char *name, *kind;
    } others[] = {
#define OPTION(name, text, kind, fallback) {text, #kind},
        PROGRAM_OPTIONS(OPTION)
#undef OPTION
    };
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        if (strcmp(others[i].name, name) == 0)
            return strcmp(others[i].kind, "SWITCH") == 0 ? invalid_value
                                                         : "Operation illegal when tracing is active";
    return "Invalid option name";
}

/* Both texts end with '\0' in the record. */
static bool do_setopt(struct consumer *consumer, const struct program_action *action, struct firing *firing) {
    struct value texts[2] = {{.bytes = ""}, {.bytes = ""}};
    for (uint32_t i = 0; i < action->fields && i < 2; i++)
        if (!value_take(&firing->cursor, consumer->program, &fields_of(consumer, action)[i], &texts[i]))
            return false;
    if (texts[0].kind == FIELD_INTEGER || (action->fields > 1 && texts[1].kind == FIELD_INTEGER))
        return true;
    char name[64], text[64];
    snprintf(name, sizeof name, "%.*s", (int)texts[0].length, texts[0].bytes);
    snprintf(text, sizeof text, "%.*s", (int)texts[1].length, texts[1].bytes);
    const char *problem = set_option(consumer, name, text);
    if (problem)
        message_error(consumer, firing, "couldn't set option \"%s\" to \"%s\": %s\n", name,
                      *text || action->fields > 1 ? text : "1",
                      problem); /* and an empty line, as DTrace has it */
    return true;
}

/* What the fields of system() or freopen() make of its format; the caller frees it. */
static char *format_fields(struct consumer *consumer, const struct program_action *action,
                           struct firing *firing) {
    struct text text = {0};
    if (!record_format(consumer, &text, action, firing, NULL, NULL)) {
        text_free(&text);
        return NULL;
    }
    text_char(&text, '\0');
    return text.data;
}

static bool do_system(struct consumer *consumer, const struct program_action *action, struct firing *firing) {
    char *command = format_fields(consumer, action, firing);
    if (!command)
        return false;
    consumer_flush(consumer);
    fflush(NULL);
    int status = system(command);
    if (status == -1)
        message_error(consumer, firing, "couldn't run \"%s\": %s", command, strerror(errno));
    free(command);
    return true;
}

/* Lets `out` write to another file from now on, and what system() runs with it; "" means where it wrote
   first. False: errno says why not. */
static bool redirect(struct consumer *consumer, const char *name) {
    int output = fileno(consumer->settings.out);
    if (consumer->first_output < 0)
        consumer->first_output = fcntl(output, F_DUPFD_CLOEXEC, 0);
    if (consumer->first_output < 0)
        return false;
    if (*name == '\0')
        return dup2(consumer->first_output, output) >= 0;
    int file = open(name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (file < 0)
        return false;
    bool redirected = dup2(file, output) >= 0;
    close(file);
    return redirected;
}

static bool do_freopen(struct consumer *consumer, const struct program_action *action,
                       struct firing *firing) {
    char *name = format_fields(consumer, action, firing);
    if (!name)
        return false;
    consumer_flush(consumer);
    if (redirect(consumer, name))
        consumer->redirected = *name != '\0';
    else
        message_error(consumer, firing, "couldn't freopen() \"%s\": %s", name, strerror(errno));
    free(name);
    return true;
}

static bool do_ftruncate(struct consumer *consumer, const struct program_action *action,
                         struct firing *firing) {
    consumer_flush(consumer);
    if (ftruncate(fileno(consumer->settings.out), 0) == 0) /* fails, as it should, where it is no file */
        rewind(consumer->settings.out);
    return skip_fields(consumer, action, firing);
}

/* By action; those that are not here have had their effect in the traced process. */
static effect *const effects[ACTION_COUNT] = {
    [ACTION_EXIT] = do_exit,           [ACTION_CLEAR] = do_clear,     [ACTION_TRUNC] = do_trunc,
    [ACTION_NORMALIZE] = do_normalize, [ACTION_SETOPT] = do_setopt,   [ACTION_DENORMALIZE] = do_denormalize,
    [ACTION_SYSTEM] = do_system,       [ACTION_FREOPEN] = do_freopen, [ACTION_FTRUNCATE] = do_ftruncate,
};

bool record_effect(struct consumer *consumer, const struct program_action *action, struct firing *firing) {
    effect *does = action->kind < ACTION_COUNT ? effects[action->kind] : NULL;
    return (does ? does : skip_fields)(consumer, action, firing);
}

/* The actions that print. */

static bool print_trace(struct consumer *consumer, const struct program_action *action,
                        struct firing *firing) {
    struct value_style style = record_style(consumer);
    struct value value;
    for (uint32_t i = 0; i < action->fields; i++) {
        if (!value_take(&firing->cursor, consumer->program, &fields_of(consumer, action)[i], &value))
            return false;
        value_trace(&consumer->text, &value, &style);
    }
    return true;
}

static bool print_memory(struct consumer *consumer, const struct program_action *action,
                         struct firing *firing) {
    struct value value;
    if (!value_take(&firing->cursor, consumer->program, fields_of(consumer, action), &value))
        return false;
    if (value.kind != FIELD_INTEGER)
        value_dump(&consumer->text, value.bytes, value.length, value.length);
    return true;
}

static bool print_print(struct consumer *consumer, const struct program_action *action,
                        struct firing *firing) {
    struct value address, value;
    if (action->fields < 2)
        return skip_fields(consumer, action, firing);
    if (!value_take(&firing->cursor, consumer->program, &fields_of(consumer, action)[0], &address) ||
        !value_take(&firing->cursor, consumer->program, &fields_of(consumer, action)[1], &value))
        return false;
    print_value(&consumer->text, (uint64_t)address.integer, &value);
    return true;
}

static bool print_printf(struct consumer *consumer, const struct program_action *action,
                         struct firing *firing) {
    return record_format(consumer, &consumer->text, action, firing, NULL, NULL);
}

static bool print_printa(struct consumer *consumer, const struct program_action *action,
                         struct firing *firing) {
    printa_do(consumer, &consumer->text, action);
    return skip_fields(consumer, action, firing);
}

static effect *const printers[ACTION_COUNT] = {
    [ACTION_TRACE] = print_trace,  [ACTION_STACK] = print_trace,     [ACTION_PRINTF] = print_printf,
    [ACTION_SYMBOL] = print_trace, [ACTION_TRACEMEM] = print_memory, [ACTION_PRINTA] = print_printa,
    [ACTION_PRINT] = print_print,
};

/* Lines. */

static const char *function_of(const struct firing *firing, size_t *length) {
    if (firing->function.bytes) {
        *length = firing->function.length;
        return firing->function.bytes;
    }
    *length = strlen(firing->probe->function);
    return firing->probe->function;
}

/* "  1   3974             func:function-entry " */
static void begin_plain(struct text *out, const struct firing *firing) {
    size_t length, name_length = strlen(firing->probe->name);
    const char *function = function_of(firing, &length);
    text_unsigned(out, firing->record->cpu, 3);
    text_unsigned(out, firing->record->probe, 7);
    text_repeat(out, ' ', 1 + (length + 1 + name_length < 32 ? 32 - length - 1 - name_length : 0));
    text_bytes(out, function, length);
    text_char(out, ':');
    text_bytes(out, firing->probe->name, name_length);
    text_char(out, ' ');
}

/* Whether a record indents, by DTrace's rule: the first of the clauses that run at an entry, the last of
   those at a return. */
static int flow_of(const struct firing *firing) {
    struct stream *stream = firing->stream;
    const struct arena_record *record = firing->record;
    uint32_t enabling, probe;
    switch (firing->probe->flow) {
    case FLOW_ENTRY:
        if (stream->last != UINT32_MAX && stream->last != record->enabling && stream->probe == record->probe)
            return FLOW_NONE;
        return FLOW_ENTRY;
    case FLOW_RETURN:
        if (stream_next(stream, &enabling, &probe) && enabling != record->enabling && probe == record->probe)
            return FLOW_NONE;
        return FLOW_RETURN;
    default:
        return FLOW_NONE;
    }
}

/* "  1    -> func                                 ", by thread. */
static void begin_flow(struct text *out, const struct firing *firing) {
    static const char *const arrows[] = {[FLOW_NONE] = "| ", [FLOW_ENTRY] = " -> ", [FLOW_RETURN] = " <- "};
    enum { STEP = 2, COLUMN = 41, DEEPEST = 1 << 12 };
    struct stream *stream = firing->stream;
    if (stream->tid != firing->record->tid) {
        stream->indent = 0;
        stream->last = UINT32_MAX;
        stream->tid = firing->record->tid;
    }
    int flow = flow_of(firing);
    if (flow == FLOW_RETURN && stream->indent >= STEP)
        stream->indent -= STEP;

    text_unsigned(out, firing->record->cpu, 3);
    text_char(out, ' ');
    size_t length, start = out->length;
    const char *function = function_of(firing, &length);
    text_repeat(out, ' ', stream->indent < DEEPEST ? stream->indent : DEEPEST);
    text_string(out, arrows[flow]);
    text_bytes(out, function, length);
    if (flow == FLOW_NONE) {
        text_char(out, ':');
        text_string(out, firing->probe->name);
    }
    size_t taken = out->length - start;
    text_repeat(out, ' ', 1 + (taken < COLUMN ? COLUMN - taken : 0));

    if (flow == FLOW_ENTRY)
        stream->indent += STEP;
    stream->last = firing->record->enabling;
    stream->probe = firing->record->probe;
}

static void begin_line(struct consumer *consumer, const struct firing *firing) {
    bool flow = consumer->options[OPTION_FLOWINDENT] != 0, quiet = consumer->options[OPTION_QUIET] != 0;
    if (!flow && quiet)
        return;
    if (!consumer->heading) {
        if (consumer_colored(consumer))
            text_string(&consumer->text, "\033[1m");
        text_string(&consumer->text, flow ? "CPU FUNCTION                                 "
                                          : "CPU     ID                    FUNCTION:NAME");
        if (consumer_colored(consumer))
            text_string(&consumer->text, "\033[0m");
        text_char(&consumer->text, '\n');
        consumer->heading = true;
    }
    if (flow)
        begin_flow(&consumer->text, firing);
    else
        begin_plain(&consumer->text, firing);
}

static void print_record(struct consumer *consumer, struct firing *firing) {
    const struct program_action *actions = program_entries(consumer->program, SECTION_ACTIONS);
    begin_line(consumer, firing);
    for (uint32_t i = 0; i < firing->clause->actions; i++) {
        const struct program_action *action = &actions[firing->clause->first_action + i];
        effect *prints = action->kind < ACTION_COUNT ? printers[action->kind] : NULL;
        if (!(prints ? prints : record_effect)(consumer, action, firing)) {
            firing->stream->damaged = true;
            break;
        }
    }
    if (!consumer->options[OPTION_QUIET])
        text_char(&consumer->text, '\n');
}

/* probefunc and probemod, where the record carries them. */
static bool take_names(struct consumer *consumer, struct firing *firing) {
    static const struct program_field text = {.kind = FIELD_STRING};
    if (!(firing->clause->flags & CLAUSE_NAMES_PROBE))
        return true;
    return value_take(&firing->cursor, consumer->program, &text, &firing->function) &&
           value_take(&firing->cursor, consumer->program, &text, &firing->module);
}

static bool find_clause(struct consumer *consumer, struct firing *firing, uint32_t enabling) {
    const struct program_enabling *enablings = program_entries(consumer->program, SECTION_ENABLINGS);
    const struct program_clause *clauses = program_entries(consumer->program, SECTION_CLAUSES);
    if (enabling >= program_count(consumer->program, SECTION_ENABLINGS))
        return false;
    firing->clause_index = enablings[enabling].clause;
    firing->clause = &clauses[firing->clause_index];
    return true;
}

static bool do_fault(struct consumer *consumer, struct firing *firing) {
    int64_t words[5]; /* enabling, action, instruction, fault, value */
    if ((size_t)(firing->cursor.end - firing->cursor.at) < sizeof words)
        return false;
    memcpy(words, firing->cursor.at, sizeof words);
    firing->cursor.at += sizeof words;
    if (words[0] < 0 || words[0] >= UINT32_MAX || !find_clause(consumer, firing, (uint32_t)words[0]) ||
        !take_names(consumer, firing))
        return false;
    message_fault(consumer, firing, (uint32_t)words[3], (uint64_t)words[4], words[2]);
    return true;
}

void record_do(struct consumer *consumer, struct stream *stream) {
    const struct arena_record *record = consumer->record;
    struct firing firing = {.record = record,
                            .cursor = {(const char *)(record + 1), (const char *)record + record->size},
                            .probe = consumer_probe_of(consumer, record->probe),
                            .stream = stream};
    consumer->records++;
    consumer->snapshot = false;
    consumer->quiet = consumer->options[OPTION_QUIET] != 0;
    bool whole;
    if (record->enabling == RECORD_FAULT)
        whole = do_fault(consumer, &firing);
    else
        whole = find_clause(consumer, &firing, record->enabling) && take_names(consumer, &firing);
    if (!whole)
        stream->damaged = true;
    else if (record->enabling != RECORD_FAULT && consumer->settings.sink)
        sink_record(consumer, &firing);
    else if (record->enabling != RECORD_FAULT && consumer->json)
        json_record(consumer, &firing);
    else if (record->enabling != RECORD_FAULT)
        print_record(consumer, &firing);
}
