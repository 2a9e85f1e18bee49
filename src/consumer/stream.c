/*
 * stream.c: following the chain of chunks of a slot's records, and giving the chunks back once read.
 */
#include "stream.h"

#include <stddef.h>
#include <string.h>

void stream_open(struct stream *stream, struct arena *arena, uint32_t slot) {
    *stream = (struct stream){.arena = arena, .slot = slot, .last = UINT32_MAX};
}

void stream_reset(struct stream *stream) {
    stream_open(stream, stream->arena, stream->slot);
}

static bool is_ours(const struct stream *stream, uint32_t chunk) {
    return chunk - 1 < stream->arena->shape.chunks &&
           __atomic_load_n(&stream->arena->owners[chunk - 1], __ATOMIC_ACQUIRE) == stream->slot + 1;
}

static uint32_t used_of(const struct stream *stream, const struct arena_chunk *chunk) {
    uint32_t capacity = arena_chunk_capacity(stream->arena);
    uint32_t used = __atomic_load_n(&chunk->used, __ATOMIC_ACQUIRE);
    return (used < capacity ? used : capacity) & ~7U;
}

/* To the first chunk, if the slot is in use and has one. */
static bool begin(struct stream *stream) {
    struct arena_slot *slot = arena_slot(stream->arena, stream->slot);
    uint32_t owner = __atomic_load_n(&slot->owner, __ATOMIC_ACQUIRE);
    if (owner == 0)
        return false;
    uint32_t first = __atomic_load_n(&slot->first_record_chunk, __ATOMIC_ACQUIRE);
    if (!is_ours(stream, first))
        return false;
    stream->owner = owner;
    stream->chunk = first;
    stream->offset = stream->used = 0;
    return true;
}

/* To the chunk after this one, which is given back. */
static bool step(struct stream *stream, const struct arena_chunk *chunk) {
    uint32_t next = __atomic_load_n(&chunk->next, __ATOMIC_ACQUIRE);
    if (next == stream->chunk || !is_ours(stream, next) || stream->steps >= stream->arena->shape.chunks)
        return false;
    uint32_t used = used_of(stream, chunk); /* final now that there is a next one */
    if (used > stream->used) {
        stream->used = used;
        return true;
    }
    struct arena_slot *slot = arena_slot(stream->arena, stream->slot);
    __atomic_store_n(&slot->first_record_chunk, next, __ATOMIC_RELEASE);
    arena_free_chunk(stream->arena, stream->chunk);
    stream->chunk = next;
    stream->offset = stream->used = 0;
    stream->steps++;
    return true;
}

/* Where the next record is, when there is a whole header of one. */
static const struct arena_record *find(struct stream *stream) {
    if (stream->chunk == ARENA_NO_CHUNK && !begin(stream))
        return NULL;
    for (;;) {
        const struct arena_chunk *chunk = arena_chunk(stream->arena, stream->chunk);
        if (stream->used - stream->offset < sizeof(struct arena_record))
            stream->used = used_of(stream, chunk);
        if (stream->used < stream->offset) /* it has shrunk: a lie */
            stream->used = stream->offset;
        if (stream->used - stream->offset >= sizeof(struct arena_record))
            return (const struct arena_record *)((const char *)(chunk + 1) + stream->offset);
        if (!step(stream, chunk))
            return NULL;
    }
}

bool stream_peek(struct stream *stream) {
    const struct arena_record *record;
    stream->size = 0;
    while ((record = find(stream)) != NULL) {
        uint32_t size = __atomic_load_n(&record->size, __ATOMIC_RELAXED);
        uint32_t left = stream->used - stream->offset;
        if (size >= sizeof *record && size % 8 == 0 && size <= left) {
            stream->size = size;
            stream->time = __atomic_load_n(&record->timestamp, __ATOMIC_RELAXED);
            return true;
        }
        stream->damaged = true;
        stream->consumed += left;
        stream->offset = stream->used;
    }
    return false;
}

void stream_take(struct stream *stream, struct arena_record *to) {
    const struct arena_chunk *chunk = arena_chunk(stream->arena, stream->chunk);
    memcpy(to, (const char *)(chunk + 1) + stream->offset, stream->size);
    to->size = stream->size;
    to->timestamp = stream->time;
    stream->offset += stream->size;
    stream->consumed += stream->size;
}

bool stream_next(struct stream *stream, uint32_t *enabling, uint32_t *probe) {
    const struct arena_record *record = find(stream);
    if (!record)
        return false;
    *enabling = __atomic_load_n(&record->enabling, __ATOMIC_RELAXED);
    *probe = __atomic_load_n(&record->probe, __ATOMIC_RELAXED);
    return true;
}

void stream_acknowledge(struct stream *stream) {
    struct arena_slot *slot = arena_slot(stream->arena, stream->slot);
    if (stream->owner != 0 && __atomic_load_n(&slot->consumed, __ATOMIC_RELAXED) != stream->consumed)
        __atomic_store_n(&slot->consumed, stream->consumed, __ATOMIC_RELEASE);
    stream->steps = 0;
}
