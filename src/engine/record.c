/*
 * record.c: the records of clauses. A record is made in place, in the chunk of the buffer that it will belong
 * to, behind what is published; who abandons it just does not publish it. Speculations are buffers of the
 * same kind.
 */
#include "record.h"

#include "plan.h"

#define LIKELY(condition) __builtin_expect(!!(condition), 1)

/* With bufpolicy ring the oldest chunk makes room for a new one, once the chain is as long as it may be. */
static void recycle(struct engine_thread *thread) {
    struct arena *arena = thread->engine->arena;
    uint32_t index = __atomic_load_n(&thread->slot->first_record_chunk, __ATOMIC_RELAXED);
    struct arena_chunk *oldest = arena_chunk(arena, index);
    if (!oldest || oldest == thread->principal.chunk)
        return;
    __atomic_store_n(&thread->slot->first_record_chunk, __atomic_load_n(&oldest->next, __ATOMIC_RELAXED),
                     __ATOMIC_RELEASE);
    arena_free_chunk(arena, index);
    thread->principal_chunks--;
}

static char *principal_room(struct engine_thread *thread, uint32_t bytes) {
    const struct engine *engine = thread->engine;
    struct cursor *cursor = &thread->principal;
    uint64_t capacity = arena_chunk_capacity(engine->arena);
    const struct arena_chunk *before = cursor->chunk;
    if (engine->bufpolicy == POLICY_RING && before && bytes > cursor->left &&
        (thread->principal_chunks + 1) * capacity > engine->bufsize)
        recycle(thread);
    char *room = cursor_room(thread, cursor, &thread->slot->first_record_chunk, bytes);
    thread->principal_chunks += cursor->chunk != before;
    return room;
}

/* Room for `bytes` at the end of the buffer that this clause writes into; NULL: none. */
static char *target_room(struct engine_thread *thread, uint32_t bytes) {
    if (thread->deferring)
        return bytes <= DEFERRED_SIZE - thread->deferred_used ? thread->deferred + thread->deferred_used
                                                              : NULL;
    if (!thread->speculation)
        return principal_room(thread, bytes);
    uint32_t index = thread->speculation - 1;
    return cursor_room(thread, &thread->speculations[index].cursor,
                       &arena_slot_speculation(thread->slot, index)->first_chunk, bytes);
}

/* Bytes there are from the place that target_room gave. */
static uint32_t target_size(const struct engine_thread *thread) {
    if (thread->deferring)
        return DEFERRED_SIZE - thread->deferred_used;
    const struct cursor *cursor =
        thread->speculation ? &thread->speculations[thread->speculation - 1].cursor : &thread->principal;
    return cursor->left;
}

/* `bytes` more for the record; NULL: it is lost. */
static char *extend(struct engine_thread *thread, uint32_t bytes) {
    struct record *record = &thread->record;
    if (record->lost)
        return NULL;
    if (bytes > record->room - record->size) {
        char *from = record->at;
        char *to = target_room(thread, record->size + bytes);
        if (!to) {
            record->lost = true;
            return NULL;
        }
        /* Another chunk, unless the room was at an end that nothing more fits behind. */
        memmove(to, from, record->size);
        record->at = to;
        record->room = target_size(thread);
    }
    char *at = record->at + record->size;
    record->size += bytes;
    return at;
}

/* Where the record begins, when that is not just the rest of the principal buffer's chunk. */
static __attribute__((noinline)) bool find_room(struct engine_thread *thread, struct record *record) {
    *record = (struct record){.at = target_room(thread, sizeof(struct arena_record))};
    if (!record->at) {
        record->lost = true;
        record->at = (char *)record;
        return false;
    }
    record->room = target_size(thread);
    return true;
}

static inline void begin(struct engine_thread *thread, uint32_t enabling) {
    if (record_begin_here(thread, enabling) || !find_room(thread, &thread->record))
        return;
    thread->record.size = sizeof(struct arena_record);
    record_head(thread, (struct arena_record *)thread->record.at, enabling);
}

static void put_text(struct engine_thread *thread, struct value text) {
    char *at = extend(thread, encoded_size(text.length));
    if (at)
        encode_text(at, text.text, text.length);
}

static void put_names(struct engine_thread *thread) {
    if (thread->ready->flags & CLAUSE_NAMES_PROBE) {
        put_text(thread, thread_builtin(thread, BUILTIN_PROBEFUNC));
        put_text(thread, thread_builtin(thread, BUILTIN_PROBEMOD));
    }
}

static inline void ensure(struct engine_thread *thread) {
    if (!thread->record.at) {
        begin(thread, thread->ready->enabling);
        put_names(thread);
    }
}

void record_integer_slowly(struct engine_thread *thread, int64_t integer) {
    struct record *record = &thread->record;
    ensure(thread);
    if (LIKELY(record->room - record->size >= sizeof integer)) {
        memcpy(record->at + record->size, &integer, sizeof integer);
        record->size += sizeof integer;
        return;
    }
    char *at = extend(thread, sizeof integer);
    if (at)
        memcpy(at, &integer, sizeof integer);
}

void record_text(struct engine_thread *thread, struct value text) {
    ensure(thread);
    bool is_stack = text.text >= thread->stack_first && text.text < thread->stack_end;
    if (text.length >= thread->engine->strsize && !is_stack)
        text.length = thread->engine->strsize - 1;
    put_text(thread, text);
}

char *record_bytes(struct engine_thread *thread, uint32_t size) {
    ensure(thread);
    uint32_t all = encoded_size(size);
    char *at = extend(thread, all);
    if (!at)
        return NULL;
    memset(at + all - 8, 0, 8);
    memcpy(at, &size, sizeof size);
    return at + sizeof size;
}

/* With bufpolicy switch that is by what the consumer has read; it only grows. */
bool record_may_write(struct engine_thread *thread, uint64_t written) {
    const struct engine *engine = thread->engine;
    switch (engine->bufpolicy) {
    case POLICY_SWITCH:
        thread->may_write = engine->bufsize + __atomic_load_n(&thread->slot->consumed, __ATOMIC_RELAXED);
        if (written > thread->may_write)
            thread_drop(thread, DROP_PRINCIPAL);
        break;
    case POLICY_FILL:
        thread->may_write = engine->bufsize;
        if (written > thread->may_write)
            __atomic_store_n(&engine->arena->header->filled, 1, __ATOMIC_RELAXED);
        break;
    default:
        thread->may_write = UINT64_MAX;
    }
    return written <= thread->may_write;
}

static void publish_speculation(struct engine_thread *thread, uint32_t size) {
    struct thread_speculation *speculation = &thread->speculations[thread->speculation - 1];
    if (speculation->bytes + size > thread->engine->specsize) {
        thread_drop(thread, DROP_SPECULATION);
        return;
    }
    speculation->bytes += size;
    speculation->cursor.used += size;
    speculation->cursor.left -= size;
    __atomic_store_n(&speculation->cursor.chunk->used, speculation->cursor.used, __ATOMIC_RELEASE);
}

static inline void publish(struct engine_thread *thread, enum drop cause) {
    struct record *record = &thread->record;
    if (LIKELY(record_publish_here(thread)))
        return;
    if (record->lost) {
        thread_drop(thread, cause);
    } else {
        ((struct arena_record *)record->at)->size = record->size;
        if (thread->deferring)
            thread->deferred_used += record->size;
        else
            publish_speculation(thread, record->size);
    }
    record->at = NULL;
}

void record_commit(struct engine_thread *thread) {
    ensure(thread);
    publish(thread, thread->speculation ? DROP_SPECULATION : DROP_PRINCIPAL);
}

/* Which action of the clause an instruction works for: the next one that is named behind it. */
static int64_t action_of(const struct engine *engine, const struct program_clause *clause,
                         uint32_t instruction) {
    uint32_t count = program_count(engine->program, SECTION_INSTRUCTIONS);
    for (uint32_t i = instruction; i < count; i++) {
        const struct program_instruction *at = &engine->instructions[i];
        switch (at->op) {
        case OP_END:
        case OP_SKIP:
            return 0;
        case OP_EMIT_INTEGER:
        case OP_EMIT_STRING:
        case OP_EMIT_BYTES:
        case OP_ACT:
            return (int64_t)at->immediate - (int64_t)clause->first_action;
        }
    }
    return 0;
}

void record_fault(struct engine_thread *thread, uint32_t instruction) {
    const struct engine *engine = thread->engine;
    const struct program_clause *clause = &engine->clauses[thread->ready->clause];
    bool deferring = thread->deferring;
    thread->deferring = false;
    begin(thread, RECORD_FAULT);
    const int64_t fields[] = {thread->ready->enabling, action_of(engine, clause, instruction),
                              (int64_t)instruction -
                                  (plan_start(engine, thread->ready) - engine->instructions),
                              thread->fault, (int64_t)thread->fault_value};
    char *at = extend(thread, sizeof fields);
    if (at)
        memcpy(at, fields, sizeof fields);
    put_names(thread);
    publish(thread, DROP_PRINCIPAL);
    thread->deferring = deferring;
}

/* Appends records that lie elsewhere to the principal buffer; they count as of now. */
static void append(struct engine_thread *thread, const char *from, uint32_t bytes, enum drop cause) {
    while (bytes >= sizeof(struct arena_record)) {
        struct arena_record record;
        memcpy(&record, from, sizeof record);
        if (record.size < sizeof record || record.size > bytes || record.size % 8)
            return;
        char *to = principal_room(thread, record.size);
        if (to) {
            memcpy(to, from, record.size);
            record.timestamp = thread_now(thread);
            memcpy(to, &record, sizeof record);
            record_publish_principal(thread, record.size);
        } else {
            thread_drop(thread, cause);
        }
        from += record.size;
        bytes -= record.size;
    }
}

void record_flush_deferred(struct engine_thread *thread) {
    if (thread->deferred_used)
        append(thread, thread->deferred, thread->deferred_used, DROP_PRINCIPAL);
    thread->deferred_used = 0;
}

uint32_t speculation_take(struct engine_thread *thread) {
    struct arena *arena = thread->engine->arena;
    enum drop cause = DROP_SPECULATION_NONE;
    for (uint32_t i = 0; i < arena->shape.speculations; i++) {
        uint32_t word = __atomic_load_n(&arena->speculations[i], __ATOMIC_RELAXED);
        if ((word & 3) == SPECULATION_INACTIVE &&
            __atomic_compare_exchange_n(&arena->speculations[i], &word, word | SPECULATION_ACTIVE, false,
                                        __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
            return i + 1;
        if ((word & 3) != SPECULATION_ACTIVE)
            cause = DROP_SPECULATION_BUSY;
    }
    thread_drop(thread, cause);
    return 0;
}

static bool try_lock(struct arena_slot_speculation *part) {
    uint32_t free = 0;
    return __atomic_compare_exchange_n(&part->lock, &free, 1, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
}

static void unlock(struct arena_slot_speculation *part) {
    __atomic_store_n(&part->lock, 0, __ATOMIC_RELEASE);
}

bool speculation_enter(struct engine_thread *thread, int64_t id) {
    struct arena *arena = thread->engine->arena;
    if (id < 1 || (uint64_t)id > arena->shape.speculations || thread->speculation)
        return false;
    uint32_t index = (uint32_t)id - 1;
    struct thread_speculation *speculation = &thread->speculations[index];
    struct arena_slot_speculation *part = arena_slot_speculation(thread->slot, index);
    uint32_t word = __atomic_load_n(&arena->speculations[index], __ATOMIC_ACQUIRE);
    if ((word & 3) != SPECULATION_ACTIVE || !try_lock(part))
        return false;
    /* Once we have the lock, whoever ends the speculation waits for us; but it may have ended before. */
    if (__atomic_load_n(&arena->speculations[index], __ATOMIC_SEQ_CST) != word) {
        unlock(part);
        return false;
    }
    if (speculation->word != word) {
        *speculation = (struct thread_speculation){.word = word};
        __atomic_store_n(&part->first_chunk, ARENA_NO_CHUNK, __ATOMIC_RELEASE);
    }
    thread->speculation = (uint32_t)id;
    /* What was recorded of this clause before is not part of it. */
    thread->record.at = NULL;
    return true;
}

static bool end_speculation(struct engine_thread *thread, int64_t id, enum arena_speculation state) {
    struct arena *arena = thread->engine->arena;
    if (id < 0 || (uint64_t)id > arena->shape.speculations)
        return thread_fail(thread, FAULT_ILLEGAL_OPERATION, 0);
    if (!id)
        return true;
    uint32_t *at = &arena->speculations[id - 1];
    uint32_t word = __atomic_load_n(at, __ATOMIC_RELAXED);
    if ((word & 3) == SPECULATION_ACTIVE &&
        __atomic_compare_exchange_n(at, &word, (word & ~3U) | state, false, __ATOMIC_SEQ_CST,
                                    __ATOMIC_RELAXED) &&
        state == SPECULATION_COMMITTING && thread->commit_count < COMMITS_MAX)
        thread->commits[thread->commit_count++] = (uint32_t)id - 1;
    return true;
}

bool speculation_commit(struct engine_thread *thread, int64_t id) {
    return end_speculation(thread, id, SPECULATION_COMMITTING);
}

bool speculation_discard(struct engine_thread *thread, int64_t id) {
    return end_speculation(thread, id, SPECULATION_DISCARDING);
}

/* Moves this thread's part of a committed speculation to its principal buffer. The parts of others are the
   consumer's business. */
static void move_part(struct engine_thread *thread, uint32_t speculation) {
    struct arena *arena = thread->engine->arena;
    struct arena_slot_speculation *part = arena_slot_speculation(thread->slot, speculation);
    uint32_t capacity = arena_chunk_capacity(arena);
    if (!try_lock(part))
        return;
    uint32_t index = __atomic_load_n(&part->first_chunk, __ATOMIC_RELAXED);
    struct arena_chunk *chunk = arena_chunk(arena, index);
    for (uint64_t left = arena->shape.chunks; chunk && left; left--) {
        uint32_t used = __atomic_load_n(&chunk->used, __ATOMIC_RELAXED);
        append(thread, (const char *)(chunk + 1), used < capacity ? used : capacity, DROP_SPECULATION);
        uint32_t next = __atomic_load_n(&chunk->next, __ATOMIC_RELAXED);
        arena_free_chunk(arena, index);
        index = next;
        chunk = arena_chunk(arena, index);
    }
    __atomic_store_n(&part->first_chunk, ARENA_NO_CHUNK, __ATOMIC_RELEASE);
    thread->speculations[speculation] = (struct thread_speculation){0};
    unlock(part);
}

void speculation_leave(struct engine_thread *thread) {
    if (thread->speculation) {
        unlock(arena_slot_speculation(thread->slot, thread->speculation - 1));
        thread->speculation = 0;
    }
    for (uint32_t i = 0; i < thread->commit_count; i++)
        move_part(thread, thread->commits[i]);
    thread->commit_count = 0;
}
