/*
 * stream.h: the records of one slot of the arena, in order. What is read is copied out first and checked in
 * the copy, since its writer may change it at any time.
 */
#ifndef CONSUMER_STREAM_H
#define CONSUMER_STREAM_H

#include "engine/arena.h"

#include <stdbool.h>
#include <stdint.h>

struct stream {
    struct arena *arena; /* borrowed */
    uint32_t slot;
    uint32_t owner;  /* the process when the first chunk was seen; 0: nothing is being read */
    uint32_t chunk;  /* where the next record is; ARENA_NO_CHUNK: not begun */
    uint32_t offset; /* of it in the chunk's content */
    uint32_t used;   /* bytes of the chunk's content known to be complete */
    uint32_t steps;  /* chunks left behind in this pass, so that a chain that lies cannot hold us for ever */
    uint32_t size;   /* of the record that stream_peek found; 0: none */
    uint64_t time;   /* its timestamp */
    uint64_t consumed; /* bytes read from this slot */
    bool damaged;      /* something was wrong in a chunk: its rest was left out */

    /* for flow indentation, by thread */
    uint32_t tid;    /* of the last record */
    uint32_t last;   /* its enabling; UINT32_MAX: none yet */
    uint32_t probe;  /* its probe */
    uint32_t indent; /* columns */
};

void stream_open(struct stream *stream, struct arena *arena, uint32_t slot);

/* Is there a record? If so, `size` and `time` are its. */
bool stream_peek(struct stream *stream);

/* Copies the record that stream_peek found to `to`, of at least the arena's chunk size, and goes on behind
   it. */
void stream_take(struct stream *stream, struct arena_record *to);

/* The enabling and the probe of the record after the one last taken; false: there is none yet. */
bool stream_next(struct stream *stream, uint32_t *enabling, uint32_t *probe);

/* Tells the writer how much has been read. */
void stream_acknowledge(struct stream *stream);

/* Forgets what it was reading: the slot has been given away. */
void stream_reset(struct stream *stream);

#endif
