/*
 * stacks.h: the Python stack of a thread that runs on meanwhile. What is copied is accepted only if it fits
 * together; see stacks.c for how that is told. One thread, the sampler's.
 */
#ifndef SAMPLER_STACKS_H
#define SAMPLER_STACKS_H

#include "hooks/compat.h"

#include "codes.h"
#include "copy.h"

enum {
    STACK_FRAMES = 4096, /* innermost; what is beyond is cut off */
    STACK_KNOWN = 900,   /* frames of a thread that are remembered, see below */
    STACK_RECENT = COMPAT_HAVE_DATA_STACK ? 16 : 40,
    STACK_LINKS = 64,
    STACK_CFRAMES = 8,
    STACK_CODES = 32,
};

struct stack_frame {
    struct code *code; /* NULL: not a frame, see tasks_note */
    long instruction;  /* byte offset */
    uintptr_t address;
};

struct stack {
    int count;
    bool cut;                                /* there are more frames than STACK_FRAMES */
    int attempts;                            /* that it took */
    bool inferred;                           /* that the innermost frame ran: it has ended since */
    struct stack_frame frames[STACK_FRAMES]; /* the innermost first */
};

/* A frame outside of the data stack, of generators and shims; before 3.11 each frame. */
struct stack_recent {
    uintptr_t address;
    uint64_t used; /* number of the sample that had it among its innermost */
};

/* What ran in a frame, and which frame had called it. */
struct stack_link {
    uintptr_t frame, code, caller, caller_code;
};

struct stack_cframe {
    uintptr_t address, frame; /* that was running in it */
};

/* Where the stack of a thread was at the last samples, so that it can be copied by one system call if it is
   still there, and what is known of frames that come and go too fast to be copied. All zero, but for
   `frames`, for a new thread. */
struct stack_trail {
    uint64_t samples;
    uintptr_t chunk, chunk_size, end; /* of the data stack */
    uintptr_t highest;                /* end of it lately */
    int cframe_count, recent_count, link_next;
    int known; /* frames that are not on the data stack, and not recent */
    int code_count;
    uintptr_t callable;           /* what the innermost frame called last */
    uintptr_t codes[STACK_CODES]; /* different ones, the innermost first */
    struct stack_cframe cframes[STACK_CFRAMES];
    struct stack_recent recent[STACK_RECENT]; /* callees before their callers */
    struct stack_link links[STACK_LINKS];
    uintptr_t frames[STACK_KNOWN]; /* the innermost first */
};

/* Copies the stack of a thread state. `check` numbers the tick. False: it was torn each time. */
bool stacks_take(struct copier *copier, uintptr_t tstate, uintptr_t interp, struct stack_trail *trail,
                 uint64_t check, struct stack *stack);

/* What the innermost frame of the stack that has just been taken calls: the address of the callable, as it
   was at the moment of the copy. 0: nothing, or it cannot be told. *head: a copy of its head,, NULL: there is
   none. */
uintptr_t stacks_callable(struct copier *copier, const struct stack *stack, const void **head);

#endif
