/*
 * record.h: making a record and publishing it where that takes no thought: in the rest of the principal
 * buffer's chunk. record.c has all other ways.
 */
#ifndef ENGINE_RECORD_H
#define ENGINE_RECORD_H

#include "verdict.h"

enum buffer_policy { POLICY_SWITCH, POLICY_FILL, POLICY_RING };

/* Fills in the head of a record, all but its size. */
static inline void record_head(struct engine_thread *thread, struct arena_record *head, uint32_t enabling) {
    head->enabling = enabling;
    head->timestamp = thread_now(thread);
    memcpy(&head->cpu, &thread->origin, sizeof thread->origin); /* and pid, at once */
    if (__builtin_expect(thread->engine->wants_cpu, 0))
        head->cpu = engine_cpu();
    head->tid = thread->tid;
    head->probe = thread->probe->id;
}

/* Begins a record in the chunk at hand. False: there is no room, or it goes elsewhere. */
static inline bool record_begin_here(struct engine_thread *thread, uint32_t enabling) {
    const struct cursor *cursor = &thread->principal;
    struct record *record = &thread->record;
    if (cursor->left < sizeof(struct arena_record) || thread->deferring || thread->speculation)
        return false;
    record->at = (char *)(cursor->chunk + 1) + cursor->used;
    record->size = sizeof(struct arena_record);
    record->room = cursor->left;
    record->lost = false;
    record_head(thread, (struct arena_record *)record->at, enabling);
    return true;
}

/* Publishes what lies behind the principal buffer's end. */
static inline void record_publish_surely(struct engine_thread *thread, uint32_t size, uint64_t written) {
    struct cursor *cursor = &thread->principal;
    uint32_t used = cursor->used + size;
    cursor->used = used;
    cursor->left -= size;
    __atomic_store_n(&cursor->chunk->used, used, __ATOMIC_RELEASE);
    __atomic_store_n(&thread->slot->written, written, __ATOMIC_RELEASE);
}

/* The same, if bufsize allows it. */
static inline void record_publish_principal(struct engine_thread *thread, uint32_t size) {
    uint64_t written = thread->slot->written + size;
    if (__builtin_expect(written <= thread->may_write, 1) || record_may_write(thread, written))
        record_publish_surely(thread, size, written);
}

/* Publishes the record that is being made, if it lies there. */
static inline bool record_publish_here(struct engine_thread *thread) {
    struct record *record = &thread->record;
    if (!record->at || record->lost || thread->deferring || thread->speculation)
        return false;
    ((struct arena_record *)record->at)->size = record->size;
    record_publish_principal(thread, record->size);
    record->at = NULL;
    return true;
}

#endif
