/*
 * consumer.c: a session's consumer: merging the records of all slots by time, freeing what has been read, and
 * writing what came of it.
 */
#ifndef _GNU_SOURCE
#    define _GNU_SOURCE
#endif
#include "internal.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    FLUSH_SIZE = 256 << 10, /* bytes of output that wait at most */
    BUFPOLICY_SWITCH = 0,   /* the other policies' records are read at the end */
    GONE_GROWTH = 16,
};

static int64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

/* After a write that took nothing: is it to be tried again? Waits for who reads a descriptor that does not.
 */
static bool tries_again(const struct consumer *consumer, int fd) {
    const struct consumer_settings *settings = &consumer->settings;
    if (errno == EAGAIN || errno == EWOULDBLOCK) {
        struct pollfd polled = {.fd = fd, .events = POLLOUT};
        if (poll(&polled, 1, -1) > 0)
            return true;
    }
    return errno == EINTR && !(settings->gives_up && settings->gives_up(settings->context));
}

/* Past the buffer of the file, as what a signal interrupts is to go on where it was. */
static bool write_all(const struct consumer *consumer, int fd, const char *data, size_t left) {
    while (left > 0) {
        ssize_t written = write(fd, data, left);
        if (written <= 0 && !tries_again(consumer, fd))
            return false;
        data += written > 0 ? written : 0;
        left -= written > 0 ? (size_t)written : 0;
    }
    return true;
}

void consumer_flush(struct consumer *consumer) {
    struct text *text = &consumer->text;
    FILE *out = consumer->settings.out;
    if (text->length && !consumer->error && !consumer->discards) {
        errno = 0;
        int fd = fileno(out); /* none: it is in memory */
        bool good = fd >= 0 ? fflush(out) == 0 && write_all(consumer, fd, text->data, text->length)
                            : fwrite(text->data, 1, text->length, out) == text->length && fflush(out) == 0;
        if (!good)
            consumer->error = errno ? errno : EIO;
    }
    text->length = 0;
}

void consumer_divert(struct consumer *consumer, FILE *out) {
    consumer->error = 0;
    consumer->discards = true;
    consumer_pass(consumer, UINT64_MAX);
    consumer->discards = false;
    consumer->colored = false;
    consumer->settings.out = out;
}

bool consumer_colored(const struct consumer *consumer) {
    return consumer->colored && !consumer->redirected;
}

/* Slots that have been taken since the last look. */
static void note_slots(struct consumer *consumer) {
    while (consumer->slots < consumer->arena->shape.slots &&
           __atomic_load_n(&arena_slot(consumer->arena, consumer->slots)->owner, __ATOMIC_ACQUIRE) != 0) {
        stream_open(&consumer->streams[consumer->slots], consumer->arena, consumer->slots);
        consumer->slots++;
    }
    consumer->aggregations.slots = consumer->slots;
}

void consumer_snapshot(struct consumer *consumer) {
    if (!consumer->snapshot) {
        note_slots(consumer);
        aggregations_snapshot(&consumer->aggregations);
    }
    consumer->snapshot = true;
}

/* Does a probe's name end in a word, alone or behind a '-'? "carpentry" is no entry. */
static bool ends_in(const char *name, const char *word) {
    size_t length = strlen(name), word_length = strlen(word);
    if (length < word_length || strcmp(name + length - word_length, word) != 0)
        return false;
    return length == word_length || name[length - word_length - 1] == '-';
}

static char *copy_string(const char *string) {
    return strdup(string ? string : "");
}

static void free_probe(struct known_probe *probe) {
    free(probe->provider);
    free(probe->module);
    free(probe->function);
    free(probe->name);
    free(probe);
}

const struct known_probe *consumer_probe_of(struct consumer *consumer, uint32_t id) {
    static char nothing[] = "";
    static const struct known_probe unknown = {
        .provider = nothing, .module = nothing, .function = nothing, .name = nothing};
    struct known_probe **bucket = &consumer->probes[id % PROBE_BUCKETS];
    for (struct known_probe *probe = *bucket; probe; probe = probe->next)
        if (probe->id == id)
            return probe;
    struct consumer_probe described = {0};
    if (!consumer->settings.probe(consumer->settings.context, id, &described))
        return &unknown;
    struct known_probe *probe = calloc(1, sizeof *probe);
    if (!probe)
        return &unknown;
    probe->id = id;
    probe->provider = copy_string(described.provider);
    probe->module = copy_string(described.module);
    probe->function = copy_string(described.function);
    probe->name = copy_string(described.name);
    if (!probe->provider || !probe->module || !probe->function || !probe->name) {
        free_probe(probe);
        return &unknown;
    }
    probe->flow = ends_in(probe->name, "entry")    ? FLOW_ENTRY
                  : ends_in(probe->name, "return") ? FLOW_RETURN
                                                   : FLOW_NONE;
    probe->next = *bucket;
    *bucket = probe;
    return probe;
}

/* The heap of streams that have a record, the earliest first; of two at the same time, the lower slot. */

static bool earlier(const struct stream *a, const struct stream *b) {
    return a->time != b->time ? a->time < b->time : a->slot < b->slot;
}

static void sift_down(struct stream **heap, size_t n, size_t at) {
    for (size_t child; (child = 2 * at + 1) < n; at = child) {
        if (child + 1 < n && earlier(heap[child + 1], heap[child]))
            child++;
        if (!earlier(heap[child], heap[at]))
            return;
        struct stream *swap = heap[at];
        heap[at] = heap[child];
        heap[child] = swap;
    }
}

static bool has_record(struct stream *stream, uint64_t until) {
    return stream_peek(stream) && (stream->time < until || until == UINT64_MAX);
}

static void merge(struct consumer *consumer, uint64_t until) {
    struct stream **heap = consumer->heap;
    size_t n = 0;
    for (uint32_t i = 0; i < consumer->slots; i++)
        if (has_record(&consumer->streams[i], until))
            heap[n++] = &consumer->streams[i];
    for (size_t i = n / 2; i-- > 0;)
        sift_down(heap, n, i);
    while (n > 0 && !consumer->error) {
        stream_take(heap[0], consumer->record);
        record_do(consumer, heap[0]);
        if (consumer->text.length >= FLUSH_SIZE) {
            consumer_flush(consumer);
            stream_acknowledge(heap[0]);
        }
        if (!has_record(heap[0], until))
            heap[0] = heap[--n];
        sift_down(heap, n, 0);
    }
}

/* A record of a committed speculation that another thread than the committing one has written. */
static void take_loose(void *context, const struct arena_record *record, uint32_t size) {
    struct consumer *consumer = context;
    if (size < sizeof *record || size > consumer->arena->shape.chunk_size)
        return;
    memcpy(consumer->record, record, size);
    consumer->record->size = size;
    record_do(consumer, &consumer->loose);
}

static void free_slots(struct consumer *consumer, uint32_t pid) {
    for (uint32_t i = 0; i < consumer->slots; i++) {
        struct stream *stream = &consumer->streams[i];
        if (__atomic_load_n(&arena_slot(consumer->arena, i)->owner, __ATOMIC_ACQUIRE) != pid ||
            stream_peek(stream))
            continue;
        aggregations_harvest(&consumer->aggregations, i);
        message_slot_drops(consumer, i);
        arena_free_slot(consumer->arena, i);
        memset(consumer->drops[i], 0, sizeof consumer->drops[i]);
        stream_reset(stream);
    }
}

static bool has_slots(const struct consumer *consumer, uint32_t pid) {
    for (uint32_t i = 0; i < consumer->slots; i++)
        if (__atomic_load_n(&arena_slot(consumer->arena, i)->owner, __ATOMIC_ACQUIRE) == pid)
            return true;
    return false;
}

static void free_gone(struct consumer *consumer) {
    size_t left = 0;
    for (size_t i = 0; i < consumer->gone_count; i++) {
        free_slots(consumer, consumer->gone[i]);
        if (has_slots(consumer, consumer->gone[i]))
            consumer->gone[left++] = consumer->gone[i];
    }
    consumer->gone_count = left;
}

static enum consumer_state state(const struct consumer *consumer) {
    if (consumer->error) {
        errno = consumer->error;
        return CONSUMER_FAILED;
    }
    return consumer->exited ? CONSUMER_EXITED : CONSUMER_GOING;
}

enum consumer_state consumer_pass(struct consumer *consumer, uint64_t until) {
    bool last = until == UINT64_MAX;
    int64_t time = now();
    note_slots(consumer);
    if (last || time - consumer->clean_time >= consumer->options[OPTION_CLEANRATE]) {
        arena_clean(consumer->arena, take_loose, consumer);
        consumer->clean_time = time;
    }
    if (last || consumer->options[OPTION_BUFPOLICY] == BUFPOLICY_SWITCH)
        merge(consumer, until);
    else if (!consumer->exited && (arena_activity(consumer->arena) >= ARENA_EXITING ||
                                   __atomic_load_n(&consumer->arena->header->filled, __ATOMIC_RELAXED)))
        record_set_exit(consumer, __atomic_load_n(&consumer->arena->header->exit_status, __ATOMIC_RELAXED));

    for (uint32_t i = 0; i < consumer->slots; i++) {
        stream_acknowledge(&consumer->streams[i]);
        if (consumer->streams[i].damaged)
            message_damage(consumer, &consumer->streams[i]);
    }
    free_gone(consumer);
    if (last || time - consumer->status_time >= consumer->options[OPTION_STATUSRATE]) {
        message_drops(consumer);
        consumer->status_time = time;
    }
    if (consumer->text.failed || consumer->aggregations.failed)
        message_memory(consumer);
    consumer_flush(consumer);
    return state(consumer);
}

enum consumer_state consumer_end(struct consumer *consumer) {
    note_slots(consumer);
    consumer->snapshot = false;
    consumer_snapshot(consumer);
    message_drops(consumer);
    if (consumer->settings.sink) {
        /* the program says what goes there */
    } else if (consumer->json) {
        json_rest(consumer);
        json_end(consumer);
    } else {
        text_char(&consumer->text, '\n');
        printa_rest(consumer);
    }
    if (consumer->text.failed || consumer->aggregations.failed)
        message_memory(consumer);
    consumer_flush(consumer);
    return state(consumer);
}

void consumer_process_gone(struct consumer *consumer, uint32_t pid) {
    if (pid == 0)
        return;
    arena_break_locks(consumer->arena, pid);
    for (size_t i = 0; i < consumer->gone_count; i++)
        if (consumer->gone[i] == pid)
            return;
    if (consumer->gone_count % GONE_GROWTH == 0) {
        uint32_t *gone =
            realloc(consumer->gone, (consumer->gone_count + GONE_GROWTH) * sizeof *consumer->gone);
        if (!gone)
            return; /* its slots stay taken until the end */
        consumer->gone = gone;
    }
    consumer->gone[consumer->gone_count++] = pid;
}

bool consumer_waiting(const struct consumer *consumer) {
    for (uint32_t i = 0; i < consumer->arena->shape.slots; i++) {
        const struct arena_slot *slot = arena_slot(consumer->arena, i);
        bool taken = __atomic_load_n(&slot->owner, __ATOMIC_RELAXED) != 0;
        uint64_t consumed = i < consumer->slots ? consumer->streams[i].consumed : 0;
        if (taken && __atomic_load_n(&slot->written, __ATOMIC_RELAXED) != consumed)
            return true;
        if (!taken && i >= consumer->slots)
            return false;
    }
    return false;
}

int consumer_exit_status(const struct consumer *consumer) {
    return consumer->exit_status;
}

uint64_t consumer_records(const struct consumer *consumer) {
    return consumer->records;
}

/* Format strings are taken apart once. */
static bool parse_formats(struct consumer *consumer, char *problem, size_t n) {
    const struct program_header *program = consumer->program;
    const struct program_action *actions = program_entries(program, SECTION_ACTIONS);
    uint32_t count = program_count(program, SECTION_ACTIONS);
    consumer->formats = calloc(count + 1, sizeof *consumer->formats);
    if (!consumer->formats) {
        snprintf(problem, n, "out of memory");
        return false;
    }
    for (uint32_t i = 0; i < count; i++)
        if (!format_parse(&consumer->formats[i], program_string(program, actions[i].format), problem, n))
            return false;
    return true;
}

static bool open_memory(struct consumer *consumer) {
    const struct arena *arena = consumer->arena;
    uint64_t slots = arena->shape.slots;
    consumer->streams = calloc(slots + 1, sizeof *consumer->streams);
    consumer->heap = calloc(slots + 1, sizeof(struct stream *));
    consumer->drops = calloc(slots + 1, sizeof *consumer->drops);
    consumer->record = malloc(arena->shape.chunk_size);
    if (!consumer->streams || !consumer->heap || !consumer->drops || !consumer->record)
        return false;
    stream_open(&consumer->loose, consumer->arena, UINT32_MAX);
    return aggregations_open(&consumer->aggregations, consumer->program, consumer->arena, consumer->options);
}

struct consumer *consumer_open(const struct program_header *program, struct arena *arena,
                               const struct consumer_settings *settings, char *problem, size_t n) {
    struct consumer *consumer = calloc(1, sizeof *consumer);
    if (!consumer) {
        snprintf(problem, n, "out of memory");
        return NULL;
    }
    consumer->program = program;
    consumer->arena = arena;
    consumer->settings = *settings;
    consumer->first_output = -1;
    for (int i = 0; i < OPTION_COUNT; i++)
        consumer->options[i] = program_option(program, (enum option)i);
    consumer->json = consumer->options[OPTION_OFORMAT] == 1;
    const char *no_color = getenv("NO_COLOR");
    consumer->colored = settings->terminal && !(no_color && *no_color);
    consumer->first_object = true;
    if (!parse_formats(consumer, problem, n)) {
        consumer_close(consumer);
        return NULL;
    }
    if (!open_memory(consumer)) {
        snprintf(problem, n, "out of memory, or the arena was made for another program");
        consumer_close(consumer);
        return NULL;
    }
    return consumer;
}

void consumer_close(struct consumer *consumer) {
    if (!consumer)
        return;
    if (consumer->first_output >= 0)
        close(consumer->first_output);
    for (uint32_t i = 0; consumer->formats && i < program_count(consumer->program, SECTION_ACTIONS); i++)
        format_free(&consumer->formats[i]);
    for (size_t i = 0; i < PROBE_BUCKETS; i++)
        while (consumer->probes[i]) {
            struct known_probe *probe = consumer->probes[i];
            consumer->probes[i] = probe->next;
            free_probe(probe);
        }
    aggregations_close(&consumer->aggregations);
    text_free(&consumer->text);
    free(consumer->formats);
    free(consumer->streams);
    free(consumer->heap);
    free(consumer->record);
    free(consumer->gone);
    free(consumer->drops);
    free(consumer);
}
