/*
 * samples.h: what the sampler of a process hands to a viewer: a memory file, one for each process and viewer,
 * made by the viewer, sealed against shrinking and growing, mapped by both. Plain C, no CPython.
 *
 *      samples_header | strings | frames | nodes | threads | ring of samples | locals
 *
 * Only the sampler writes in it (but for `taken` and `stop`). The tables only grow: an entry is complete
 * before the count that covers it is raised (release), and never changes again, but for a thread's name. A
 * stack is one number, a node: its frame and the node of its caller; equal stacks are the same node. So a
 * sample is 24 bytes, however deep the stack is, and the viewer counts by number.
 *
 * The viewer does not trust what it reads: every index is checked against the count that it has seen, and the
 * counts against the shape.
 */
#ifndef SAMPLER_SAMPLES_H
#define SAMPLER_SAMPLES_H

#include <stddef.h>
#include <stdint.h>

#define SAMPLES_MAGIC "catS"

enum {
    SAMPLES_VERSION = 1,
    SAMPLES_NO_NODE = 0, /* the empty stack: node 0 is there from the start */
};
#define SAMPLES_NO_THREAD UINT32_MAX

/* What the file is made for, by the viewer. */
struct samples_shape {
    uint64_t strings_size; /* bytes */
    uint64_t frames, nodes, threads;
    uint64_t ring;        /* samples; a power of two */
    uint64_t locals_size; /* bytes; 0: no locals are wanted */
};

enum frame_kind {
    FRAME_PYTHON,
    FRAME_NATIVE, /* a C function that a Python frame has called: "<time.sleep>"; only as a leaf */
    FRAME_NOTE,   /* not a frame: what is said in its place, "<interpreter 2>", "<task Task-7>" */
};

/* An entry of the frame table: a place in a function. */
struct samples_frame {
    uint32_t function, qualified,
        file;            /* in strings; `qualified` is the qualified name where the version has one */
    uint32_t line;       /* the current one; 0: not known */
    uint32_t first_line; /* of the function */
    uint32_t kind;       /* enum frame_kind */
};

/* A stack: its innermost frame, and the stack of the caller. The caller's number is always the lower one. */
struct samples_node {
    uint32_t caller; /* SAMPLES_NO_NODE: it is the outermost */
    uint32_t frame;
};

enum thread_kind {
    SAMPLES_THREAD,
    SAMPLES_TASK, /* an asyncio task that does not run at the moment: its await chain */
};

struct samples_thread {
    uint64_t ident;       /* threading.get_ident(); of a task its address */
    uint32_t tid;         /* of the kernel, in the process's own pid namespace; 0: not known */
    uint32_t name;        /* atomic; in strings, 0: none. Another one when it is renamed, or first heard of */
    uint32_t interpreter; /* 0 is the main one */
    uint32_t kind;        /* enum thread_kind */
    uint32_t parent;      /* of a task: index of the thread whose event loop has it, or
                             SAMPLES_NO_THREAD; else 0 */
    uint32_t main;        /* 1: the main thread */
};

/* What the viewer asks for, a number in the request (control.h). */
enum samples_flag {
    SAMPLES_IDLE = 1,   /* threads that wait are sampled too */
    SAMPLES_TASKS = 2,  /* asyncio tasks that wait too */
    SAMPLES_LOCALS = 4, /* the variables of each frame */
    SAMPLES_NATIVE = 8, /* a C function that a frame has called is a frame */
};

/* What a thread was doing, at a sample. */
enum sample_state {
    SAMPLE_ON_CPU = 1,    /* it runs, or wants to: the kernel's state R */
    SAMPLE_HAS_GIL = 2,   /* it holds its interpreter's GIL (or, free-threaded, is attached) */
    SAMPLE_WAITS_GIL = 4, /* it waits for it */
    SAMPLE_IN_NATIVE = 8, /* its leaf is in a C function, whether or not that is shown as a frame */
    SAMPLE_FIRST = 16,    /* the first sample of a tick: the others of the tick follow */
};

struct sample {
    uint64_t time;   /* ns, CLOCK_MONOTONIC: when the period began in which it was taken */
    uint32_t thread; /* index in threads */
    uint32_t node;   /* its stack */
    uint32_t state;  /* of enum sample_state */
    uint32_t locals; /* offset in locals + 1, 0: none. There: for each frame, the innermost first,
                        "name\0value\0" for each variable and a "\0" behind the last */
};

struct samples_header {
    char magic[4];    /* SAMPLES_MAGIC without its NUL */
    uint32_t version; /* SAMPLES_VERSION */
    struct samples_shape shape;

    /* All below atomic; written by the sampler. How much of each table is there. */
    uint64_t strings, frames, nodes, threads, locals;
    uint64_t written; /* samples put into the ring since the start; the newest is at (written - 1) % ring */
    uint64_t ticks;   /* of the timer that were served */
    uint64_t ticks_missed; /* that came while the one before was still being served */
    uint64_t torn; /* stacks that changed while they were copied, also after the retries: not in the ring */
    uint64_t retried;  /* copies that had to be taken again, and then were good */
    uint64_t lost;     /* samples for which the ring or a table was full */
    uint64_t spent;    /* ns of CPU time of the sampler's thread, some 20 ms ago at most */
    uint64_t cpu;      /* ns of CPU time of the whole process since its start, as old as that */
    uint64_t finished; /* 1: the count of ticks that was asked for has been reached */

    /* Atomic; written by the viewer. */
    uint64_t taken; /* samples that it has read: the ring has room for written - taken < ring more */
};

/* Where the tables are. All counts come from a shape that samples_size accepted. */
static inline uint64_t samples_align(uint64_t offset) {
    return (offset + 63) & ~(uint64_t)63;
}

static inline uint64_t samples_strings_at(const struct samples_shape *shape) {
    (void)shape;
    return samples_align(sizeof(struct samples_header));
}

static inline uint64_t samples_frames_at(const struct samples_shape *shape) {
    return samples_align(samples_strings_at(shape) + shape->strings_size);
}

static inline uint64_t samples_nodes_at(const struct samples_shape *shape) {
    return samples_align(samples_frames_at(shape) + shape->frames * sizeof(struct samples_frame));
}

static inline uint64_t samples_threads_at(const struct samples_shape *shape) {
    return samples_align(samples_nodes_at(shape) + shape->nodes * sizeof(struct samples_node));
}

static inline uint64_t samples_ring_at(const struct samples_shape *shape) {
    return samples_align(samples_threads_at(shape) + shape->threads * sizeof(struct samples_thread));
}

static inline uint64_t samples_locals_at(const struct samples_shape *shape) {
    return samples_align(samples_ring_at(shape) + shape->ring * sizeof(struct sample));
}

/* Bytes of the file; 0: not a shape that may be. */
static inline uint64_t samples_size(const struct samples_shape *shape) {
    const uint64_t most = (uint64_t)1 << 30;
    if (shape->strings_size == 0 || shape->strings_size > most || shape->frames == 0 ||
        shape->frames > most / 64 || shape->nodes == 0 || shape->nodes > most / 64 || shape->threads == 0 ||
        shape->threads > most / 64 || shape->ring == 0 || shape->ring > most / 64 ||
        (shape->ring & (shape->ring - 1)) != 0 || shape->locals_size > most)
        return 0;
    return samples_locals_at(shape) + shape->locals_size;
}

#endif
