/*
 * arena.h: the memory that the traced processes and the consumer share, one arena for each session: a memory
 * file of a fixed size, sealed against shrinking and growing, sparse, mapped by everyone in the session.
 *
 *      arena_header | drops | generations | speculations | globals | dynamic variables | owners | slots |
 * chunks
 *
 * A thread of a traced process (and the consumer's own, for BEGIN, END, tick) takes a slot, and writes into
 * chunks that it takes from the free ones: a chain of chunks of records, and a chain of chunks of aggregation
 * entries. The consumer follows the chains, and frees chunks of records that it has read. When the thread
 * ends, its slot and both chains go to the next new thread of the same process; when the process has died,
 * the consumer takes the records and the aggregations out and frees slot and chunks.
 *
 * Nobody trusts what is in the arena: each side keeps its own copy of what it must rely on (sizes, offsets,
 * its cursors), and an index that it reads here is checked against the bounds before use, for the other side
 * may be killed between two stores, or may lie. Words marked atomic are read and written by __atomic
 * builtins: chunk contents are published by a release store of `used`.
 */
#ifndef ENGINE_ARENA_H
#define ENGINE_ARENA_H

#include "program/program.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define ARENA_MAGIC "catA"

enum {
    ARENA_VERSION = 3,
    ARENA_NO_CHUNK = 0, /* chunk indices start at 1 */
    ARENA_CHUNK_MAX = 1 << 20,
    ARENA_SPECULATIONS_MAX = 1024,
};

/* What an arena is made for. By arena_shape_of, from the options. */
struct arena_shape {
    uint64_t chunk_size;   /* bytes, with its header; a power of two, 4096 to ARENA_CHUNK_MAX */
    uint64_t chunks;       /* how many; maxmem in all. Each is charged to memory only once touched */
    uint64_t slots;        /* how many */
    uint64_t globals_size; /* bytes of the scalar global variables; as engine.c lays them out */
    uint64_t dynamic_size; /* bytes of the global associative arrays; 0: the program has none */
    uint64_t aggregations; /* how many */
    uint64_t speculations; /* nspec */
};

enum arena_activity {
    ARENA_INACTIVE, /* nothing but BEGIN fires */
    ARENA_ACTIVE,
    ARENA_EXITING, /* exit() was called, or the consumer stops: nothing but END fires */
    ARENA_STOPPED, /* nothing fires any more */
};

struct arena_header {
    char magic[4];            /* ARENA_MAGIC without its NUL */
    uint32_t version;         /* ARENA_VERSION */
    struct arena_shape shape; /* from which every offset follows */
    uint32_t activity;        /* atomic, enum arena_activity; only grows */
    int32_t exit_status;      /* atomic: of the first exit(), valid from ARENA_EXITING; 0 without one */
    uint32_t free_hint;       /* atomic: where to look first for a free chunk */
    uint32_t filled;          /* atomic: 1: with bufpolicy fill, a thread's buffer is full: time to stop */
    uint32_t slots_used;      /* atomic: slots from there on were never taken */
    uint32_t raised;          /* atomic: grows after each change of a generation */
};

/* One for each thread state. Owned by the process `owner` while that is not 0. Followed by one
   arena_slot_speculation for each speculation of the arena. */
struct arena_slot {
    uint32_t owner;    /* atomic: pid as the consumer knows it; 0: free */
    uint32_t tid;      /* atomic: the thread that writes now; 0: none (parked) */
    uint64_t written;  /* atomic: bytes of records ever committed */
    uint64_t consumed; /* atomic: bytes of records that the consumer has read; written by it alone */
    uint32_t first_record_chunk; /* atomic: of the chain, ARENA_NO_CHUNK if none yet. The consumer moves it
                                    on when it frees a chunk; with bufpolicy ring the thread itself does */
    uint32_t first_aggregation_chunk; /* atomic */
    uint64_t aggregation_bytes;       /* atomic: of entries, for aggsize */
    uint64_t drops[DROP_COUNT];       /* atomic, ever growing */
};

/* What a thread has put into a speculation so far: a chain of chunks of records. */
struct arena_slot_speculation {
    uint32_t lock;        /* atomic: 0 free, 1 its thread writes, 2 the consumer takes it out */
    uint32_t first_chunk; /* atomic: ARENA_NO_CHUNK: nothing */
};

/* A speculation's state, an atomic word: the lowest two bits here, above them how often it was used. */
enum arena_speculation {
    SPECULATION_INACTIVE, /* speculation() may give it out */
    SPECULATION_ACTIVE,
    SPECULATION_COMMITTING, /* until arena_clean has taken out what other threads have put into it */
    SPECULATION_DISCARDING, /* the same */
};

/* A chunk's header; the content follows. */
struct arena_chunk {
    uint32_t next; /* atomic: the chain goes on there; ARENA_NO_CHUNK: not yet */
    uint32_t used; /* atomic: bytes of content that are complete; never changes again once `next` is set */
    uint64_t reserved;
};

/* A record, at a multiple of 8 bytes of its chunk's content, whole within one chunk. Its fields follow,
 * encoded as program_field says. */
struct arena_record {
    uint32_t size;      /* bytes with this header; a multiple of 8 */
    uint32_t enabling;  /* index in the program; or RECORD_FAULT */
    uint64_t timestamp; /* nanoseconds of CLOCK_MONOTONIC; in a chain it never goes back */
    uint32_t cpu;       /* when PROGRAM_WANTS_CPU, else 0 */
    uint32_t pid;       /* of the process, as the consumer knows it */
    uint32_t tid;
    uint32_t probe; /* the probe's id, as -l lists it */
};

/* The record of a fault has these fields, all int64_t: enabling, action (its place in the clause, from 0),
   instruction, enum fault, value (the address or the size). When the clause has CLAUSE_NAMES_PROBE, two texts
   follow: probefunc and probemod. */
#define RECORD_FAULT UINT32_MAX

/* An entry of an aggregation for one key, at a multiple of 8 bytes of its chunk's content. Published by the
   chunk's `used`; from then on its data change in place: `sequence` is odd while a value of several words
   changes. An entry of an older generation than its aggregation's has no value: clear() and trunc() raise the
   generation, and the next update starts anew. */
struct arena_aggregate {
    uint32_t size;        /* bytes with this header, data and keys; a multiple of 8 */
    uint32_t sequence;    /* atomic */
    uint32_t generation;  /* atomic */
    uint32_t aggregation; /* id */
    uint32_t words;       /* of data */
    uint32_t hash;        /* of the keys; private to the engine */
    uint64_t first_time;  /* when it was made: nanoseconds, for the order of what ties otherwise */
    int64_t data[];       /* then the keys, encoded as fields of a record.
                               count, sum, min, max   1: the value
                               avg                    2: count, sum
                               stddev                 4: count, sum, low and high word of the sum of squares
                               quantize               127: [63] is zero, [63 + n] is 2^(n-1), [63 - n] its negative
                               lquantize              levels + 2: under, the levels, over
                               llquantize             1 + 2n, n = program_llquantize_buckets(): around zero; the n
                                                      upwards; the n downwards */
};

/* An arena as one process has it mapped. All but what `header` and the tables point to is private and was
   checked: offsets computed from it are good. */
struct arena {
    struct arena_header *header;
    char *base;
    size_t size;
    struct arena_shape shape; /* a private copy */
    uint64_t *drops;          /* [DROP_COUNT], atomic: of no slot in particular */
    uint32_t *generations;    /* for each aggregation, atomic */
    uint32_t *speculations;   /* for each: its state, atomic */
    char *globals;
    char *dynamic;
    uint32_t *owners; /* for each chunk, by index - 1, atomic: 0 free, else 1 + the slot that has it */
    char *slots;
    char *chunks;
    size_t slot_size; /* bytes from one slot to the next */
};

void arena_shape_of(struct arena_shape *shape, const struct program_header *program);

/* Makes a sealed memory file with an empty arena. Returns the descriptor (close-on-exec; the caller closes
   it), or -1 with a line in `problem`. */
int arena_create(const struct arena_shape *shape, char *problem, size_t n);

/* Maps an arena, after checking the file's seals and size and the header. A child of fork does not have it.
   NULL: a line in `problem`. Ended by arena_unmap. */
struct arena *arena_map(int fd, char *problem, size_t n);
void arena_unmap(struct arena *arena);

/* Now, and on to another if that is later than the present one; true if it did change. */
enum arena_activity arena_activity(const struct arena *arena);
bool arena_advance(struct arena *arena, enum arena_activity activity);

/* From now on the entries of the aggregation have no values. */
void arena_raise_generation(struct arena *arena, uint32_t aggregation);

static inline struct arena_slot *arena_slot(const struct arena *arena, uint32_t index) {
    return (struct arena_slot *)(arena->slots + index * arena->slot_size);
}

static inline struct arena_slot_speculation *arena_slot_speculation(struct arena_slot *slot, uint32_t index) {
    return (struct arena_slot_speculation *)(slot + 1) + index;
}

/* NULL: no such chunk. */
static inline struct arena_chunk *arena_chunk(const struct arena *arena, uint32_t index) {
    if (index - 1 >= arena->shape.chunks)
        return NULL;
    return (struct arena_chunk *)(arena->chunks + (index - 1) * arena->shape.chunk_size);
}

/* How many slots are worth looking at. */
static inline uint32_t arena_slots_used(const struct arena *arena) {
    uint32_t used = __atomic_load_n(&arena->header->slots_used, __ATOMIC_ACQUIRE);
    return used < arena->shape.slots ? used : (uint32_t)arena->shape.slots;
}

/* Bytes of content a chunk has room for. */
static inline uint32_t arena_chunk_capacity(const struct arena *arena) {
    return (uint32_t)(arena->shape.chunk_size - sizeof(struct arena_chunk));
}

/* Takes a free chunk for a slot, emptied; ARENA_NO_CHUNK: there is none. Any thread. */
uint32_t arena_take_chunk(struct arena *arena, uint32_t slot);
void arena_free_chunk(struct arena *arena, uint32_t index);

/* Takes a free slot for a process; UINT32_MAX: there is none. */
uint32_t arena_take_slot(struct arena *arena, uint32_t pid);

/* For the consumer, once nothing of the process runs any more: frees a slot with all its chunks. */
void arena_free_slot(struct arena *arena, uint32_t slot);

/* The same: locks of dynamic variables that this process held. */
void arena_break_locks(struct arena *arena, uint32_t pid);

/* For the consumer, at each cleanrate: hands over the records that threads other than the committing one have
   in committed speculations, frees those of discarded ones, and makes the speculations available again.
   `take` gets each record, checked to be `size` bytes (at least a header) in memory that may change under it.
 */
void arena_clean(struct arena *arena,
                 void (*take)(void *context, const struct arena_record *record, uint32_t size),
                 void *context);

#endif
