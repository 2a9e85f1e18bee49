/*
 * recorder.c: events one behind the other in a ring of blocks. The oldest block is emptied when room is
 * needed; what its events leave open in each thread is remembered, so that what is written later begins
 * within the same calls.
 */
#include "recorder.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    BLOCKS = 32,
    TEXT_MAX = 4096, /* of an instant: what is longer is cut */
};

/* As it stands in a block; then a number if it has one, then its text, then up to a multiple of 8 bytes
 * nothing.
 */
struct kept_event {
    uint64_t time;
    uint32_t thread, label, key;
    uint16_t length; /* of the text */
    uint8_t kind : 4, has_number : 1;
    uint8_t category;
};

struct block {
    char *bytes; /* owned; NULL: never used */
    size_t used;
};

struct recorder {
    struct block blocks[BLOCKS];
    size_t block_size;
    unsigned first, count;  /* of those in use: the last one is written to */
    struct slices *threads; /* owned; by index: what was open when the first block began */
    uint32_t thread_count;
    bool failed; /* out of memory */
};

struct recorder *recorder_open(uint64_t size) {
    struct recorder *recorder = size < RECORDER_LEAST ? NULL : calloc(1, sizeof *recorder);
    if (recorder != NULL) {
        recorder->block_size = (size_t)(size / BLOCKS) & ~(size_t)7;
    }
    return recorder;
}

void recorder_close(struct recorder *recorder) {
    if (recorder == NULL) {
        return;
    }
    for (unsigned i = 0; i < BLOCKS; i++) {
        free(recorder->blocks[i].bytes);
    }
    for (uint32_t i = 0; i < recorder->thread_count; i++) {
        slices_free(&recorder->threads[i]);
    }
    free(recorder->threads);
    free(recorder);
}

/* Reads the event at `at` in a block. Returns its size. */
static size_t unpack(const char *at, struct timeline_event *event) {
    struct kept_event kept;
    memcpy(&kept, at, sizeof kept);
    *event = (struct timeline_event){
        .time = kept.time,
        .thread = kept.thread,
        .label = kept.label,
        .key = kept.key,
        .kind = kept.kind,
        .category = kept.category,
        .length = kept.length,
    };
    size_t size = sizeof kept;
    if (kept.has_number) {
        memcpy(&event->number, at + size, sizeof event->number);
        size += sizeof event->number;
    }
    event->text = at + size;
    return (size + kept.length + 7) & ~(size_t)7;
}

static size_t pack(char *at, const struct timeline_event *event) {
    uint16_t length = (uint16_t)(event->length < TEXT_MAX ? event->length : TEXT_MAX);
    struct kept_event kept = {
        .time = event->time,
        .thread = event->thread,
        .label = event->label,
        .key = event->key,
        .length = length,
        .kind = event->kind & 15,
        .has_number = event->number != 0,
        .category = event->category,
    };
    size_t size = sizeof kept;
    memcpy(at, &kept, size);
    if (kept.has_number) {
        memcpy(at + size, &event->number, sizeof event->number);
        size += sizeof event->number;
    }
    if (length > 0) {
        memcpy(at + size, event->text, length);
    }
    return (size + length + 7) & ~(size_t)7;
}

static struct slices *open_slices(struct recorder *recorder, uint32_t thread) {
    if (thread >= recorder->thread_count) {
        uint32_t count = (thread + 1) * 2;
        struct slices *threads = realloc(recorder->threads, count * sizeof *threads);
        if (threads == NULL) {
            return NULL;
        }
        memset(threads + recorder->thread_count, 0, (count - recorder->thread_count) * sizeof *threads);
        recorder->threads = threads;
        recorder->thread_count = count;
    }
    return &recorder->threads[thread];
}

/* What an event that is forgotten leaves open. */
static bool forget(struct recorder *recorder, const struct timeline_event *event) {
    struct slices *open = open_slices(recorder, event->thread);
    if (open == NULL) {
        return false;
    }
    struct slice slice = {
        .start = event->time, .label = event->label, .key = event->key, .category = event->category};
    size_t depth;
    switch ((enum timeline_kind)event->kind) {
    case TIMELINE_BEGIN:
        return slices_push(open, &slice);
    case TIMELINE_END:
        depth = slices_find(open, event->category, event->key);
        open->depth = event->label != LABEL_NONE ? 0 : depth > 0 ? depth - 1 : open->depth;
        return true;
    case TIMELINE_THREAD_ENDED:
        open->depth = 0;
        return true;
    case TIMELINE_INSTANT:
        return true;
    }
    return true;
}

/* Forgets the oldest block. */
static void forget_block(struct recorder *recorder) {
    struct block *block = &recorder->blocks[recorder->first];
    struct timeline_event event;
    for (size_t at = 0; at < block->used;) {
        at += unpack(block->bytes + at, &event);
        recorder->failed |= !forget(recorder, &event);
    }
    block->used = 0;
    recorder->first = (recorder->first + 1) % BLOCKS;
    recorder->count--;
}

/* The block to write to. */
static struct block *last_block(struct recorder *recorder) {
    return &recorder->blocks[(recorder->first + recorder->count - 1) % BLOCKS];
}

static bool begin_block(struct recorder *recorder) {
    if (recorder->count == BLOCKS) {
        forget_block(recorder);
    }
    recorder->count++;
    struct block *block = last_block(recorder);
    if (block->bytes == NULL) {
        block->bytes = malloc(recorder->block_size);
    }
    block->used = 0;
    if (block->bytes == NULL) {
        recorder->count--;
        return false;
    }
    return true;
}

bool recorder_event(struct recorder *recorder, const struct timeline_event *event) {
    enum { EVENT_MAX = sizeof(struct kept_event) + sizeof event->number + TEXT_MAX + 8 };
    if ((recorder->count == 0 || last_block(recorder)->used + EVENT_MAX > recorder->block_size) &&
        !begin_block(recorder)) {
        errno = ENOMEM;
        return false;
    }
    struct block *block = last_block(recorder);
    block->used += pack(block->bytes + block->used, event);
    if (recorder->failed) {
        errno = ENOMEM;
    }
    return !recorder->failed;
}

bool recorder_has_events(const struct recorder *recorder) {
    return recorder->count > 0;
}

/* The calls that were running when the oldest event came, the outer ones first. */
static bool write_open(const struct recorder *recorder, struct timeline *timeline, uint64_t start) {
    for (uint32_t i = 0; i < recorder->thread_count; i++) {
        const struct slices *open = &recorder->threads[i];
        for (size_t depth = 0; depth < open->depth; depth++) {
            const struct slice *slice = &open->all[depth];
            uint64_t shown = start - (open->depth - depth);
            struct timeline_event event = {
                .time = shown,
                .earlier = slice->start < shown ? shown - slice->start : 0,
                .thread = i,
                .label = slice->label,
                .key = slice->key,
                .kind = TIMELINE_BEGIN,
                .category = slice->category,
            };
            if (!timeline_event(timeline, &event)) {
                return false;
            }
        }
    }
    return true;
}

static bool write_blocks(const struct recorder *recorder, struct timeline *timeline) {
    struct timeline_event event;
    for (unsigned i = 0; i < recorder->count; i++) {
        const struct block *block = &recorder->blocks[(recorder->first + i) % BLOCKS];
        for (size_t at = 0; at < block->used;) {
            at += unpack(block->bytes + at, &event);
            if (!timeline_event(timeline, &event)) {
                return false;
            }
        }
    }
    return true;
}

bool recorder_write(struct recorder *recorder, struct timeline *timeline,
                    const struct timeline_settings *settings, uint64_t time) {
    struct timeline_settings own = *settings;
    struct timeline_event first = {.time = time};
    if (recorder->count > 0) {
        unpack(recorder->blocks[recorder->first].bytes, &first);
    }
    own.start = first.time;
    bool good = timeline_open(timeline, &own) && write_open(recorder, timeline, first.time) &&
                write_blocks(recorder, timeline) && timeline_finish(timeline, time);
    int saved = errno;
    while (recorder->count > 0) {
        forget_block(recorder);
    }
    errno = saved;
    return good;
}
