/*
 * messages.c: errors and drops, in DTrace's words.
 */
#include "internal.h"

#include <stdarg.h>
#include <stdlib.h>

/* A line on err, behind what has been printed before it. */
static void say(struct consumer *consumer, const char *line) {
    consumer_flush(consumer);
    fprintf(consumer->settings.err, "%s: %s\n", consumer->settings.name, line);
    fflush(consumer->settings.err);
}

static void say_error(struct consumer *consumer, const struct firing *firing, const char *what) {
    const struct known_probe *probe = firing->probe;
    struct value function = firing->function, module = firing->module;
    if (!function.bytes)
        function = (struct value){.bytes = probe->function, .length = (uint32_t)strlen(probe->function)};
    if (!module.bytes)
        module = (struct value){.bytes = probe->module, .length = (uint32_t)strlen(probe->module)};
    struct text line = {0};
    text_format(&line, "error in dt_clause_%u for probe ID %u (%s:%.*s:%.*s:%s): %s", firing->clause_index,
                firing->record->probe, probe->provider, (int)module.length, module.bytes,
                (int)function.length, function.bytes, probe->name, what);
    text_char(&line, '\0');
    if (line.data && consumer->json)
        json_error(consumer, firing, line.data);
    if (line.data)
        say(consumer, line.data);
    text_free(&line);
}

void message_error(struct consumer *consumer, const struct firing *firing, const char *format, ...) {
    char what[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    say_error(consumer, firing, what);
}

void message_fault(struct consumer *consumer, const struct firing *firing, uint32_t fault, uint64_t value,
                   int64_t instruction) {
    static const char *const faults[FAULT_COUNT] = {
#define FAULT(name, text) [FAULT_##name] = text,
        PROGRAM_FAULTS(FAULT)
#undef FAULT
    };
    static const bool has_value[FAULT_COUNT] = {
        [FAULT_BAD_ADDRESS] = true, [FAULT_BAD_ALIGN] = true,      [FAULT_BAD_SIZE] = true,
        [FAULT_PRIVILEGE] = true,   [FAULT_USER_PRIVILEGE] = true,
    };
    if (fault >= FAULT_COUNT)
        fault = FAULT_UNKNOWN;
    char shown[32] = "";
    if (fault == FAULT_BAD_INDEX)
        snprintf(shown, sizeof shown, " (%lld)", (long long)value);
    else if (has_value[fault])
        snprintf(shown, sizeof shown, " (0x%llx)", (unsigned long long)value);
    message_error(consumer, firing, "%s%s at DIF offset %lld", faults[fault], shown, (long long)instruction);
}

/* Causes by their words; %s is where the plural's 's' goes. */
static const char *const causes[DROP_COUNT] = {
#define DROP(name, words) words,
    PROGRAM_DROPS(DROP)
#undef DROP
};

static void say_drops(struct consumer *consumer, unsigned kind, uint64_t count, uint64_t total,
                      const char *where) {
    struct text line = {0};
    const char *words = causes[kind], *plural = strstr(words, "%s");
    text_unsigned(&line, count, 0);
    text_char(&line, ' ');
    text_bytes(&line, words, plural ? (size_t)(plural - words) : strlen(words));
    if (plural && count != 1)
        text_char(&line, 's');
    if (plural)
        text_string(&line, plural + 2);
    text_string(&line, where);
    text_char(&line, '\0');
    if (line.data && consumer->json)
        json_drop(consumer, kind, count, total, line.data);
    if (line.data)
        say(consumer, line.data);
    text_free(&line);
}

/* What has come since the last time; a counter that goes back is not believed. */
static uint64_t since(uint64_t *seen, const uint64_t *counter) {
    uint64_t now = __atomic_load_n(counter, __ATOMIC_RELAXED);
    if (now <= *seen)
        return 0;
    uint64_t count = now - *seen;
    *seen = now;
    return count;
}

static const char *thread_of(const struct arena_slot *slot, char *where, size_t n) {
    uint32_t tid = __atomic_load_n(&slot->tid, __ATOMIC_RELAXED);
    if (tid)
        snprintf(where, n, " in thread %u", tid);
    else
        snprintf(where, n, " in a thread that has ended");
    return where;
}

/* Of these the thread is of interest, as in DTrace the CPU. */
static bool is_by_thread(unsigned kind) {
    return kind == DROP_PRINCIPAL || kind == DROP_AGGREGATION;
}

void message_slot_drops(struct consumer *consumer, uint32_t index) {
    const struct arena_slot *slot = arena_slot(consumer->arena, index);
    char where[64];
    for (unsigned kind = 0; kind < DROP_COUNT; kind++) {
        uint64_t count = since(&consumer->drops[index][kind], &slot->drops[kind]);
        if (count)
            say_drops(consumer, kind, count, consumer->drops[index][kind],
                      is_by_thread(kind) ? thread_of(slot, where, sizeof where) : "");
    }
}

/* Drops of one cause: of each thread as long as they are few, else of all together. */
static void message_cause(struct consumer *consumer, unsigned kind) {
    enum { FEW = 8 };
    struct arena *arena = consumer->arena;
    uint64_t counts[FEW], total = 0, ever = 0;
    uint32_t slots[FEW], threads = 0;
    for (uint32_t i = 0; i < consumer->slots; i++) {
        const struct arena_slot *slot = arena_slot(arena, i);
        if (__atomic_load_n(&slot->owner, __ATOMIC_RELAXED) == 0)
            continue;
        uint64_t count = since(&consumer->drops[i][kind], &slot->drops[kind]);
        ever += consumer->drops[i][kind];
        total += count;
        if (count && threads++ < FEW) {
            counts[threads - 1] = count;
            slots[threads - 1] = i;
        }
    }
    uint64_t *of_none = &consumer->drops[arena->shape.slots][kind];
    uint64_t homeless = since(of_none, &arena->drops[kind]);
    ever += *of_none;

    char where[64] = "";
    if (!is_by_thread(kind)) {
        if (total + homeless)
            say_drops(consumer, kind, total + homeless, ever, "");
        return;
    }
    if (threads > FEW) {
        snprintf(where, sizeof where, " in %u threads", threads);
        say_drops(consumer, kind, total, ever, where);
    }
    for (uint32_t i = 0; i < threads && threads <= FEW; i++)
        say_drops(consumer, kind, counts[i], ever,
                  thread_of(arena_slot(arena, slots[i]), where, sizeof where));
    if (homeless)
        say_drops(consumer, kind, homeless, ever, "");
}

void message_drops(struct consumer *consumer) {
    for (unsigned kind = 0; kind < DROP_COUNT; kind++)
        message_cause(consumer, kind);
}

void message_damage(struct consumer *consumer, struct stream *stream) {
    char line[128];
    stream->damaged = false;
    snprintf(line, sizeof line, "records of process %u were damaged, and are left out", stream->owner);
    say(consumer, line);
}

void message_memory(struct consumer *consumer) {
    if (!consumer->short_of_memory)
        say(consumer, "out of memory: some of the output is missing");
    consumer->short_of_memory = true;
}
