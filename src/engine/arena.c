/*
 * arena.c: making, mapping and checking an arena; its slots and chunks; the cleaning of speculations. Who
 * runs what: see arena.h.
 */
#ifndef _GNU_SOURCE
#    define _GNU_SOURCE
#endif
#include "arena.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dynamic.h"
#include "layout.h"

enum { ARENA_PAGE = 4096, ARENA_SLOTS_MAX = 4096, ARENA_CHUNKS_MAX = 1 << 20 };

static uint64_t round_up(uint64_t n, uint64_t to) {
    return (n + to - 1) / to * to;
}

static uint64_t clamp(int64_t value, uint64_t least, uint64_t most) {
    if (value < 0 || (uint64_t)value < least)
        return least;
    return (uint64_t)value > most ? most : (uint64_t)value;
}

/* Bytes of the greatest record that the program can make, without its stacks, which are cut to fit. */
static uint64_t greatest_record(const struct program_header *program) {
    const struct program_clause *clauses = program_entries(program, SECTION_CLAUSES);
    const struct program_action *actions = program_entries(program, SECTION_ACTIONS);
    const struct program_field *fields = program_entries(program, SECTION_FIELDS);
    uint64_t string = (uint64_t)program_option(program, OPTION_STRSIZE) + 16, greatest = 0;
    for (uint32_t i = 0; i < program_count(program, SECTION_CLAUSES); i++) {
        uint64_t bytes = sizeof(struct arena_record) + 2 * string;
        for (uint32_t k = clauses[i].first_action; k < clauses[i].first_action + clauses[i].actions; k++) {
            const struct program_field *field = fields + actions[k].first_field;
            for (uint32_t left = actions[k].fields; left; left--, field++)
                bytes += field->kind == FIELD_INTEGER  ? 8
                         : field->kind == FIELD_STRING ? string
                         : field->kind == FIELD_STACK  ? PROGRAM_STACK_MAX / 8
                                                       : field->size + 16ULL;
        }
        if (bytes > greatest)
            greatest = bytes;
    }
    return greatest;
}

static uint64_t greatest_aggregate(const struct program_header *program) {
    const struct program_aggregation *aggregations = program_entries(program, SECTION_AGGREGATIONS);
    uint64_t string = (uint64_t)program_option(program, OPTION_STRSIZE) + 16, greatest = 0;
    for (uint32_t i = 0; i < program_count(program, SECTION_AGGREGATIONS); i++) {
        uint64_t bytes = sizeof(struct arena_aggregate) + 8ULL * program_aggregation_words(&aggregations[i]) +
                         aggregations[i].keys * string;
        if (bytes > greatest)
            greatest = bytes;
    }
    return greatest;
}

void arena_shape_of(struct arena_shape *shape, const struct program_header *program) {
    uint64_t memory = clamp(program_option(program, OPTION_MAXMEM), 1 << 20, 1ULL << 40);
    uint64_t record = greatest_record(program), aggregate = greatest_aggregate(program);
    uint64_t wanted = record > aggregate ? record : aggregate;
    uint64_t chunk = 4096;
    /* 32 KB at most by default, so that a thousand threads fit; smaller for a small bufsize, greater for
       great records. */
    uint64_t usual = clamp(program_option(program, OPTION_BUFSIZE) / 4, 4096, 32 << 10);
    while (chunk < ARENA_CHUNK_MAX && (chunk < usual || chunk < wanted + sizeof(struct arena_chunk)))
        chunk *= 2;
    memset(shape, 0, sizeof *shape);
    shape->chunk_size = chunk;
    shape->chunks = clamp((int64_t)(memory / chunk), 4, ARENA_CHUNKS_MAX);
    shape->slots = clamp((int64_t)(shape->chunks / 2), 1, ARENA_SLOTS_MAX);
    shape->globals_size = round_up(layout_scalars(program, SCOPE_GLOBAL, NULL).size, ARENA_PAGE);
    shape->dynamic_size = layout_has_dynamic(program)
                              ? dynamic_size(clamp(program_option(program, OPTION_DYNVARSIZE), 0, 1ULL << 36))
                              : 0;
    shape->aggregations = program_count(program, SECTION_AGGREGATIONS);
    shape->speculations = clamp(program_option(program, OPTION_NSPEC), 0, ARENA_SPECULATIONS_MAX);
}

/* Bounds that keep the sums of arena_place from overflowing. */
static bool good_shape(const struct arena_shape *shape) {
    uint64_t chunk = shape->chunk_size;
    return chunk >= 4096 && chunk <= ARENA_CHUNK_MAX && (chunk & (chunk - 1)) == 0 && shape->chunks >= 1 &&
           shape->chunks <= ARENA_CHUNKS_MAX && shape->slots >= 1 && shape->slots <= ARENA_SLOTS_MAX &&
           shape->globals_size <= 1ULL << 36 && shape->dynamic_size <= 1ULL << 37 &&
           shape->aggregations <= PROGRAM_SIZE_MAX && shape->speculations <= ARENA_SPECULATIONS_MAX;
}

/* At an offset from arena->base, which is NULL while only the size is asked for. */
static void *at_offset(const struct arena *arena, uint64_t offset) {
    return (void *)((uintptr_t)arena->base + offset);
}

/* Where everything is. */
static void arena_place(struct arena *arena) {
    const struct arena_shape *shape = &arena->shape;
    uint64_t at = round_up(sizeof(struct arena_header), 64);
    arena->header = at_offset(arena, 0);
    arena->drops = at_offset(arena, at);
    at = round_up(at + sizeof(uint64_t) * DROP_COUNT, 64);
    arena->generations = at_offset(arena, at);
    at = round_up(at + sizeof(uint32_t) * shape->aggregations, 64);
    arena->speculations = at_offset(arena, at);
    at = round_up(at + sizeof(uint32_t) * shape->speculations, ARENA_PAGE);
    arena->globals = at_offset(arena, at);
    at = round_up(at + shape->globals_size, ARENA_PAGE);
    arena->dynamic = at_offset(arena, at);
    at = round_up(at + shape->dynamic_size, ARENA_PAGE);
    arena->owners = at_offset(arena, at);
    at = round_up(at + sizeof(uint32_t) * shape->chunks, ARENA_PAGE);
    arena->slots = at_offset(arena, at);
    arena->slot_size =
        round_up(sizeof(struct arena_slot) + sizeof(struct arena_slot_speculation) * shape->speculations, 64);
    at = round_up(at + arena->slot_size * shape->slots, ARENA_CHUNK_MAX);
    arena->chunks = at_offset(arena, at);
    arena->size = at + shape->chunk_size * shape->chunks;
}

/* A memory file without a name; its size can be sealed where the system has seals. */
static int memory_file(void) {
#ifdef MFD_ALLOW_SEALING
    return memfd_create("catprobe", MFD_CLOEXEC | MFD_ALLOW_SEALING);
#else
    char name[64];
    for (unsigned i = 0; i < 100; i++) {
        snprintf(name, sizeof name, "/catprobe-%ld-%u", (long)getpid(), i);
        int fd = shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
        if (fd >= 0) {
            shm_unlink(name);
            fcntl(fd, F_SETFD, FD_CLOEXEC);
            return fd;
        }
        if (errno != EEXIST)
            break;
    }
    return -1;
#endif
}

static bool seal(int fd) {
#ifdef F_ADD_SEALS
    return fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0;
#else
    return fd >= 0;
#endif
}

static bool is_sealed(int fd) {
#ifdef F_GET_SEALS
    int seals = fcntl(fd, F_GET_SEALS);
    return seals >= 0 && (seals & F_SEAL_SHRINK);
#else
    return fd >= 0;
#endif
}

int arena_create(const struct arena_shape *shape, char *problem, size_t n) {
    struct arena_header header = {.version = ARENA_VERSION, .shape = *shape};
    struct arena arena = {.shape = *shape};
    memcpy(header.magic, ARENA_MAGIC, sizeof header.magic);
    arena_place(&arena);
    int fd = memory_file();
    if (fd < 0) {
        snprintf(problem, n, "cannot make a memory file: %s", strerror(errno));
        return -1;
    }
    if (ftruncate(fd, (off_t)arena.size) < 0 ||
        pwrite(fd, &header, sizeof header, 0) != (ssize_t)sizeof header || !seal(fd)) {
        snprintf(problem, n, "cannot make a memory file of %zu bytes: %s; -x maxmem sets how many",
                 arena.size, strerror(errno));
        close(fd);
        return -1;
    }
    return fd;
}

/* Reads and checks the header of the file; the arena's private part is set. */
static bool arena_read(struct arena *arena, int fd, char *problem, size_t n) {
    struct arena_header header;
    struct stat status;
    if (fstat(fd, &status) < 0 || !is_sealed(fd)) {
        snprintf(problem, n, "the memory of the session is not a sealed memory file");
        return false;
    }
    if (pread(fd, &header, sizeof header, 0) != (ssize_t)sizeof header ||
        memcmp(header.magic, ARENA_MAGIC, sizeof header.magic) != 0 || header.version != ARENA_VERSION ||
        !good_shape(&header.shape)) {
        snprintf(problem, n,
                 "the memory of the session is not laid out as this version does it: "
                 "use the same catprobe on both sides");
        return false;
    }
    arena->shape = header.shape;
    arena_place(arena);
    if (status.st_size < 0 || (uint64_t)status.st_size < arena->size) {
        snprintf(problem, n, "the memory of the session is smaller than its header says");
        return false;
    }
    return true;
}

struct arena *arena_map(int fd, char *problem, size_t n) {
    struct arena read = {0};
    if (!arena_read(&read, fd, problem, n))
        return NULL;
    char *base = mmap(NULL, read.size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
    if (base == MAP_FAILED) {
        snprintf(problem, n, "cannot map the memory of the session, %zu bytes: %s; -x maxmem sets how many",
                 read.size, strerror(errno));
        return NULL;
    }
#ifdef MADV_DONTFORK
    madvise(base, read.size, MADV_DONTFORK);
#endif
    struct arena *arena =
        mmap(NULL, sizeof *arena, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (arena == MAP_FAILED) {
        snprintf(problem, n, "not enough memory for a session");
        munmap(base, read.size);
        return NULL;
    }
    *arena = read;
    arena->base = base;
    arena_place(arena);
    return arena;
}

void arena_unmap(struct arena *arena) {
    munmap(arena->base, arena->size);
    munmap(arena, sizeof *arena);
}

enum arena_activity arena_activity(const struct arena *arena) {
    return __atomic_load_n(&arena->header->activity, __ATOMIC_ACQUIRE);
}

bool arena_advance(struct arena *arena, enum arena_activity activity) {
    uint32_t now = __atomic_load_n(&arena->header->activity, __ATOMIC_RELAXED);
    while (now < (uint32_t)activity) {
        if (__atomic_compare_exchange_n(&arena->header->activity, &now, (uint32_t)activity, false,
                                        __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
            return true;
    }
    return false;
}

void arena_raise_generation(struct arena *arena, uint32_t aggregation) {
    __atomic_fetch_add(&arena->generations[aggregation], 1, __ATOMIC_ACQ_REL);
    __atomic_fetch_add(&arena->header->raised, 1, __ATOMIC_RELEASE);
}

uint32_t arena_take_chunk(struct arena *arena, uint32_t slot) {
    uint32_t chunks = (uint32_t)arena->shape.chunks;
    uint32_t at = __atomic_load_n(&arena->header->free_hint, __ATOMIC_RELAXED) % chunks;
    for (uint32_t tries = 0; tries < chunks; tries++, at = at + 1 < chunks ? at + 1 : 0) {
        uint32_t owner = 0;
        if (__atomic_load_n(&arena->owners[at], __ATOMIC_RELAXED) != 0 ||
            !__atomic_compare_exchange_n(&arena->owners[at], &owner, slot + 1, false, __ATOMIC_ACQUIRE,
                                         __ATOMIC_RELAXED))
            continue;
        __atomic_store_n(&arena->header->free_hint, at + 1, __ATOMIC_RELAXED);
        struct arena_chunk *chunk = arena_chunk(arena, at + 1);
        __atomic_store_n(&chunk->next, ARENA_NO_CHUNK, __ATOMIC_RELAXED);
        __atomic_store_n(&chunk->used, 0, __ATOMIC_RELAXED);
        return at + 1;
    }
    return ARENA_NO_CHUNK;
}

void arena_free_chunk(struct arena *arena, uint32_t index) {
    if (index - 1 >= arena->shape.chunks)
        return;
    __atomic_store_n(&arena->owners[index - 1], 0, __ATOMIC_RELEASE);
    /* Low indices first: memory that was touched once is used again before other is. */
    uint32_t hint = __atomic_load_n(&arena->header->free_hint, __ATOMIC_RELAXED);
    if (index - 1 < hint)
        __atomic_store_n(&arena->header->free_hint, index - 1, __ATOMIC_RELAXED);
}

uint32_t arena_take_slot(struct arena *arena, uint32_t pid) {
    for (uint32_t i = 0; i < arena->shape.slots; i++) {
        uint32_t owner = 0;
        struct arena_slot *slot = arena_slot(arena, i);
        if (__atomic_load_n(&slot->owner, __ATOMIC_RELAXED) == 0 &&
            __atomic_compare_exchange_n(&slot->owner, &owner, pid, false, __ATOMIC_ACQ_REL,
                                        __ATOMIC_RELAXED)) {
            uint32_t used = __atomic_load_n(&arena->header->slots_used, __ATOMIC_RELAXED);
            while (used <= i && !__atomic_compare_exchange_n(&arena->header->slots_used, &used, i + 1, false,
                                                             __ATOMIC_RELEASE, __ATOMIC_RELAXED))
                continue;
            return i;
        }
    }
    return UINT32_MAX;
}

void arena_free_slot(struct arena *arena, uint32_t index) {
    if (index >= arena->shape.slots)
        return;
    struct arena_slot *slot = arena_slot(arena, index);
    for (uint32_t i = 0; i < arena->shape.chunks; i++) {
        if (__atomic_load_n(&arena->owners[i], __ATOMIC_RELAXED) == index + 1)
            arena_free_chunk(arena, i + 1);
    }
    /* The owner last: another process may take the slot from then on. */
    memset((char *)slot + sizeof slot->owner, 0, arena->slot_size - sizeof slot->owner);
    __atomic_store_n(&slot->owner, 0, __ATOMIC_RELEASE);
}

void arena_break_locks(struct arena *arena, uint32_t pid) {
    if (arena->shape.dynamic_size)
        dynamic_break_locks(arena->dynamic, arena->shape.dynamic_size, pid);
    for (uint32_t i = 0; i < arena_slots_used(arena); i++) {
        struct arena_slot *slot = arena_slot(arena, i);
        if (__atomic_load_n(&slot->owner, __ATOMIC_ACQUIRE) != pid)
            continue;
        for (uint32_t k = 0; k < arena->shape.speculations; k++)
            __atomic_store_n(&arena_slot_speculation(slot, k)->lock, 0, __ATOMIC_RELEASE);
    }
}

/* Hands over the records of a chunk. */
static void take_records(const struct arena *arena, const struct arena_chunk *chunk,
                         void (*take)(void *context, const struct arena_record *record, uint32_t size),
                         void *context) {
    uint32_t capacity = arena_chunk_capacity(arena);
    uint32_t used = __atomic_load_n(&chunk->used, __ATOMIC_ACQUIRE);
    if (used > capacity)
        used = capacity;
    for (uint32_t at = 0; used - at >= sizeof(struct arena_record);) {
        const struct arena_record *record = (const struct arena_record *)((const char *)(chunk + 1) + at);
        uint32_t size = __atomic_load_n(&record->size, __ATOMIC_RELAXED);
        if (size < sizeof *record || size > used - at || size % 8)
            return;
        take(context, record, size);
        at += size;
    }
}

/* Takes a slot's part out of a speculation. False: its thread is just writing. */
static bool clean_slot(struct arena *arena, uint32_t slot, uint32_t speculation, bool commit,
                       void (*take)(void *context, const struct arena_record *record, uint32_t size),
                       void *context) {
    struct arena_slot_speculation *part = arena_slot_speculation(arena_slot(arena, slot), speculation);
    uint32_t free = 0;
    if (__atomic_load_n(&part->first_chunk, __ATOMIC_ACQUIRE) == ARENA_NO_CHUNK &&
        __atomic_load_n(&part->lock, __ATOMIC_SEQ_CST) == 0)
        return true;
    if (!__atomic_compare_exchange_n(&part->lock, &free, 2, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
        return false;
    uint32_t index = __atomic_load_n(&part->first_chunk, __ATOMIC_ACQUIRE);
    struct arena_chunk *chunk = arena_chunk(arena, index);
    /* A chain cannot have more chunks than there are. */
    for (uint64_t left = arena->shape.chunks; chunk && left; left--) {
        if (__atomic_load_n(&arena->owners[index - 1], __ATOMIC_RELAXED) != slot + 1)
            break;
        if (commit)
            take_records(arena, chunk, take, context);
        uint32_t next = __atomic_load_n(&chunk->next, __ATOMIC_ACQUIRE);
        arena_free_chunk(arena, index);
        index = next;
        chunk = arena_chunk(arena, index);
    }
    __atomic_store_n(&part->first_chunk, ARENA_NO_CHUNK, __ATOMIC_RELEASE);
    __atomic_store_n(&part->lock, 0, __ATOMIC_RELEASE);
    return true;
}

void arena_clean(struct arena *arena,
                 void (*take)(void *context, const struct arena_record *record, uint32_t size),
                 void *context) {
    for (uint32_t i = 0; i < arena->shape.speculations; i++) {
        uint32_t word = __atomic_load_n(&arena->speculations[i], __ATOMIC_SEQ_CST);
        uint32_t state = word & 3;
        if (state != SPECULATION_COMMITTING && state != SPECULATION_DISCARDING)
            continue;
        bool all = true;
        for (uint32_t slot = 0; slot < arena_slots_used(arena); slot++) {
            if (__atomic_load_n(&arena_slot(arena, slot)->owner, __ATOMIC_RELAXED) != 0)
                all &= clean_slot(arena, slot, i, state == SPECULATION_COMMITTING, take, context);
        }
        if (all)
            __atomic_store_n(&arena->speculations[i], ((word >> 2) + 1) << 2 | SPECULATION_INACTIVE,
                             __ATOMIC_RELEASE);
    }
}
