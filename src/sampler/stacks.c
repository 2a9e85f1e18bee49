/*
 * stacks.c: see stacks.h.
 *
 * A thread calls and returns some ten million times a second, a copy takes about a microsecond: what makes it
 * a stack that there was, and each as likely as it was?
 *
 * - Which frame runs is decided at one moment: when its address is copied from the thread state. A try is
 *   given up for what has nothing to do with that frame, where possible: else frames that are left soon would
 *   be missed, and those that stay be counted instead.
 * - All else is copied by the same system call, behind it, within some hundred nanoseconds, callees before
 *   their callers. Nothing is copied before: the program's next write to what another processor has just read
 *   is late, and with it the next change of the running frame, which then would be seen too seldom.
 * - If the frame still runs in its copy, that is the stack. Else it was shorter than the copy: then its
 * caller runs in the copy, and is the one that the frame still names, or that was seen to call it before.
 * - On 3.11+ frames lie on a data stack, and each must end where the next begins. The frames of generators,
 *   and before 3.11 all frames, are objects, which say whether they run.
 *
 * Frames that were not foreseen are read one by one; then all is copied anew, with these. The code object of
 * each frame must be one.
 */
#include "stacks.h"

#include "calls.h"
#include "natives.h"

#include <string.h>
#include <time.h>

enum {
    ATTEMPTS = 24,
    WINDOW_BELOW = 384, /* bytes of the data stack around its end that are copied first */
    WINDOW_ABOVE = 256,
    WINDOW_MAX = 4096,
    INNERMOST = 8, /* frames of a stack that may change while it is copied */
    PAGE = 4096,
};

/* A part of the process's memory that has been copied. */
struct region {
    uintptr_t from, to;
    size_t at; /* in the copier's memory */
};

enum { REGIONS = 64 };

/* One attempt. */
struct attempt {
    struct copier *copier;
    struct stack_trail *trail;
    bool infers;                 /* frames that have ended since are taken for running */
    size_t used;                 /* of the copier's memory */
    size_t top_word, word_after; /* in the copier's memory, as those below */
    size_t cframes, recent, state;
    int code_count; /* that are copied behind all frames, and not known to be unchanged */
    struct code *codes[STACK_CODES];
    size_t code_at[STACK_CODES];
    uintptr_t callable; /* whose head is copied; 0: none */
    size_t callable_at;
    int region_count;
    struct region regions[REGIONS];
    uintptr_t older;            /* chunk of the data stack that has not been copied yet; 0: none */
    size_t frames_at;           /* where the copies of trail->frames begin */
    int cursor;                 /* in trail->frames: the next is likely to be here */
    int unforeseen;             /* what had to be read one by one, and will be foreseen */
    uintptr_t top;              /* the running frame */
    uintptr_t now[STACK_KNOWN]; /* frames outside of the data stack, as they were met */
    int now_count;
};

enum { FRAME_COPY = (COMPAT_FRAME_HEAD + 7) & ~7 };

static uintptr_t word_at(const struct attempt *attempt, size_t at) {
    uintptr_t word;
    memcpy(&word, attempt->copier->memory + at, sizeof word);
    return word;
}

/* ---- The copy of a frame ---- */

/* Is all of it in the region? The address may be any number, as it may be from a copy that is torn. */
static bool holds(const struct region *region, uintptr_t address, size_t size) {
    size_t length = region->to - region->from;
    return length >= size && address - region->from <= length - size;
}

static const compat_frame *find_in_region(const struct attempt *attempt, const struct region *region,
                                          uintptr_t address) {
    size_t at = region->at + (address - region->from);
    bool within = holds(region, address, FRAME_COPY) && at % sizeof(uintptr_t) == 0;
    return within ? (const void *)(attempt->copier->memory + at) : NULL;
}

static const compat_frame *find_recent(const struct attempt *attempt, uintptr_t address) {
    const struct stack_trail *trail = attempt->trail;
    for (int i = 0; i < trail->recent_count; i++)
        if (trail->recent[i].address == address)
            return (const void *)(attempt->copier->memory + attempt->recent + (size_t)i * FRAME_COPY);
    return NULL;
}

static const compat_frame *find_known(struct attempt *attempt, uintptr_t address) {
    const struct stack_trail *trail = attempt->trail;
    for (int i = 0; i < trail->known; i++) {
        int at = (attempt->cursor + i) % trail->known;
        if (trail->frames[at] != address)
            continue;
        attempt->cursor = at + 1;
        return (const void *)(attempt->copier->memory + attempt->frames_at + (size_t)at * FRAME_COPY);
    }
    return NULL;
}

/* On the data stack, as far as that has been copied. */
static const compat_frame *find_on_stack(const struct attempt *attempt, uintptr_t address) {
    const compat_frame *frame = NULL;
    for (int i = 0; i < attempt->region_count && !frame; i++)
        frame = find_in_region(attempt, &attempt->regions[i], address);
    return frame;
}

/* NULL: there is none yet. */
static const compat_frame *find_copied(struct attempt *attempt, uintptr_t address) {
    const compat_frame *frame = find_on_stack(attempt, address);
    frame = frame ? frame : find_recent(attempt, address);
    return frame ? frame : find_known(attempt, address);
}

static void add_region(struct attempt *attempt, uintptr_t from, uintptr_t to, size_t at) {
    if (attempt->region_count < REGIONS && to > from)
        attempt->regions[attempt->region_count++] = (struct region){from, to, at};
}

#if COMPAT_HAVE_DATA_STACK
static const uintptr_t WORD_MASK = sizeof(uintptr_t) - 1;
enum { CHUNK_HEAD = offsetof(compat_stack_chunk, data), CHUNK_SIZE = 16 * 1024 };

/* Copies the next older chunk of the data stack. */
static bool copy_older(struct attempt *attempt) {
    struct copier *copier = attempt->copier;
    compat_stack_chunk head;
    uintptr_t chunk = attempt->older;
    attempt->older = 0;
    if (!chunk || attempt->region_count == REGIONS || !copier_read(copier, &head, chunk, CHUNK_HEAD))
        return false;
    size_t size = CHUNK_HEAD + head.top * sizeof(PyObject *);
    if (head.top > copier->size || size > head.size || attempt->used + size > copier->size - COPY_SPARE)
        return false;
    struct iovec piece = {(void *)chunk, size};
    if (copier_gather(copier, attempt->used, &piece, 1) != size)
        return false;
    add_region(attempt, chunk, chunk + size, attempt->used);
    attempt->used += (size + 63) & ~(size_t)63;
    attempt->older = (uintptr_t)head.previous;
    return true;
}

/* Frames of one chunk that follow each other. */
static bool fits(uintptr_t frame, const struct code *code, uintptr_t called) {
    return !called || called < frame || called - frame > CHUNK_SIZE || frame + code->frame_size == called;
}
#else
static bool copy_older(struct attempt *attempt) {
    (void)attempt;
    return false;
}

static bool fits(uintptr_t frame, const struct code *code, uintptr_t called) {
    (void)frame, (void)code, (void)called;
    return true;
}
#endif

/* Reads a frame that was not foreseen. */
static const compat_frame *read_frame(struct attempt *attempt, uintptr_t address) {
    struct copier *copier = attempt->copier;
    size_t at = attempt->used;
    struct iovec piece = {(void *)address, FRAME_COPY};
    if (at + FRAME_COPY > copier->size - COPY_SPARE || (address & 7) ||
        copier_gather(copier, at, &piece, 1) != FRAME_COPY)
        return NULL;
    attempt->used += FRAME_COPY;
    return (const void *)(copier->memory + at);
}

/* The copy of a frame; NULL: there is none. */
static const compat_frame *find_frame(struct attempt *attempt, uintptr_t address) {
    const compat_frame *frame = find_on_stack(attempt, address);
    if (frame)
        return frame;
    frame = find_recent(attempt, address);
    frame = frame ? frame : find_known(attempt, address);
    while (!frame && copy_older(attempt)) {
        frame = find_on_stack(attempt, address);
        if (frame)
            return frame;
    }
    bool remembered = attempt->now_count < STACK_KNOWN;
    if (remembered)
        attempt->now[attempt->now_count++] = address;
    if (frame)
        return frame;
    attempt->unforeseen += remembered;
    return read_frame(attempt, address);
}

/* ---- From frame to frame ---- */

/* Frames that are freed and made again can be seen to call each other in a ring. */
static bool is_ring(const struct stack *stack) {
    int last = stack->count - 1;
    for (int i = 0; i < last; i++)
        if (stack->frames[i].address == stack->frames[last].address)
            return true;
    return false;
}

static struct code *find_code(struct attempt *attempt, uintptr_t address) {
    struct code *code = address ? codes_find(address) : NULL;
    return code || !address ? code : codes_load(attempt->copier, address);
}

static bool is_within(const struct code *code, long instruction) {
    return code->size < 0 || (instruction >= -4 && instruction < code->size);
}

/* Takes one frame into the stack. False: it is none, or does not fit to the frame at *called, the last one on
   the data stack. */
static bool take_frame(struct attempt *attempt, uintptr_t address, const compat_frame *frame,
                       uintptr_t *called, struct stack *stack) {
    uintptr_t at = compat_copied_frame_code(frame);
    struct code *code = find_code(attempt, at);
    if (!code)
        return false;
    long instruction = compat_copied_frame_instruction(frame, at);
    if (!is_within(code, instruction)) {
        if (!COMPAT_FREE_THREADED)
            return false;
        instruction = -1; /* in a copy of the code that is the thread's own */
    }
    bool on_stack = compat_copied_frame_is_on_stack(frame);
    if (on_stack && !fits(address, code, *called))
        return false;
    if (on_stack)
        *called = address;
    bool complete = !on_stack || instruction >= code->first_traceable || COMPAT_FREE_THREADED;
    if (complete)
        stack->frames[stack->count++] = (struct stack_frame){code, instruction, address};
    /* One that has only begun cannot have called anything. */
    return complete || stack->count == 0;
}

static bool runs(const compat_frame *frame) {
    return compat_copied_frame_runs(frame) && compat_copied_frame_code(frame);
}

/* ---- Frames that have ended, or were suspended, since they ran ---- */

/* What is known of a frame that has no code any more, or this one. */
static const struct stack_link *find_link(const struct attempt *attempt, uintptr_t address,
                                          const compat_frame *frame) {
    const struct stack_trail *trail = attempt->trail;
    uintptr_t at = compat_copied_frame_code(frame);
    for (int i = 0; i < STACK_LINKS; i++) {
        const struct stack_link *link = &trail->links[i];
        if (link->frame != address || (at && at != link->code))
            continue;
        const struct code *code = codes_find(link->code);
        if (code && (at || is_within(code, compat_copied_frame_instruction(frame, link->code))))
            return link;
    }
    return NULL;
}

/* Takes it into the stack. Returns its caller, 0: not known. */
static uintptr_t take_ended(struct attempt *attempt, uintptr_t address, const compat_frame *frame,
                            struct stack *stack) {
    const struct stack_link *link = find_link(attempt, address, frame);
    uintptr_t at = compat_copied_frame_code(frame);
    struct code *code = find_code(attempt, at || !link ? at : link->code);
    uintptr_t previous = compat_copied_frame_previous(frame);
    const compat_frame *caller = previous ? find_copied(attempt, previous) : NULL;
    bool names_caller = caller && !compat_copied_frame_is_shim(caller) && runs(caller);
    if (!code || stack->count >= INNERMOST)
        return 0;
    long instruction = compat_copied_frame_instruction(frame, code->address);
    stack->frames[stack->count++] =
        (struct stack_frame){code, is_within(code, instruction) ? instruction : -1, address};
    if (names_caller)
        return previous;
    caller = link ? find_copied(attempt, link->caller) : NULL;
    return caller && compat_copied_frame_code(caller) == link->caller_code ? link->caller : 0;
}

/* Was this frame, or the one that was taken for the running one, running just after it? Or what it has
   called. */
static bool ran_after(struct attempt *attempt, uintptr_t address, uintptr_t after) {
    for (int steps = 0; steps < 3 && after; steps++) {
        if (after == address || after == attempt->top)
            return true;
        const compat_frame *frame = find_copied(attempt, after);
        after = frame ? compat_copied_frame_previous(frame) : 0;
    }
    return false;
}

/* ---- The running frame ---- */

#if COMPAT_HAVE_CFRAME
enum { C_FRAME_NEAR = 4096 }; /* bytes of the C stack, within which the shim of a C frame is */

/* Is it over, or yet to begin, and names the frame that runs in the one before it? */
static bool is_over(const struct attempt *attempt, uintptr_t address, const compat_cframe *cframe) {
    const struct stack_trail *trail = attempt->trail;
    uintptr_t frame = (uintptr_t)cframe->current_frame;
    if (!frame || frame - address + C_FRAME_NEAR < 2 * C_FRAME_NEAR)
        return true;
    for (int i = 0; i < trail->cframe_count; i++)
        if (trail->cframes[i].address == (uintptr_t)cframe->previous) {
            compat_cframe previous;
            memcpy(&previous, attempt->copier->memory + attempt->cframes + (size_t)i * sizeof previous,
                   sizeof previous);
            return (uintptr_t)previous.current_frame == frame;
        }
    return false;
}

/* The frame that was running, by the word of the thread state that leads there. 0: not known. */
static uintptr_t resolve_top(struct attempt *attempt, uintptr_t word) {
    struct stack_trail *trail = attempt->trail;
    compat_cframe cframe;
    int at = 0;
    while (at < trail->cframe_count && trail->cframes[at].address != word)
        at++;
    if (at == trail->cframe_count) {
        if (at == STACK_CFRAMES)
            memmove(trail->cframes, trail->cframes + 1, (size_t)--at * sizeof *trail->cframes);
        trail->cframes[at] = (struct stack_cframe){.address = word};
        trail->cframe_count = at + 1;
        return 0;
    }
    memcpy(&cframe, attempt->copier->memory + attempt->cframes + (size_t)at * sizeof cframe, sizeof cframe);
    if (!is_over(attempt, word, &cframe))
        trail->cframes[at].frame = (uintptr_t)cframe.current_frame;
    return trail->cframes[at].frame;
}
#else
static uintptr_t resolve_top(struct attempt *attempt, uintptr_t word) {
    (void)attempt;
    return word;
}
#endif

/* From the innermost frame outwards. False: it does not fit together. */
static bool walk(struct attempt *attempt, struct stack *stack) {
    uintptr_t called = 0, address = attempt->top;
    bool infers = attempt->infers;
    stack->count = 0;
    stack->cut = false;
    attempt->now_count = attempt->cursor = 0;
    for (int steps = 0; address; steps++) {
        if (stack->count == STACK_FRAMES || steps == 2 * STACK_FRAMES) {
            stack->cut = true;
            return !is_ring(stack);
        }
        const compat_frame *frame = find_frame(attempt, address);
        if (!frame)
            return false;
        uintptr_t here = address;
        address = compat_copied_frame_previous(frame);
        if (compat_copied_frame_is_shim(frame))
            continue;
        if (infers && !runs(frame)) {
            address = take_ended(attempt, here, frame, stack);
            if (!address)
                return false;
            continue;
        }
        if (infers && stack->count &&
            !ran_after(attempt, here, resolve_top(attempt, word_at(attempt, attempt->word_after))))
            return false;
        infers = false;
        if (!runs(frame) || !take_frame(attempt, here, frame, &called, stack))
            return false;
    }
    return !infers || !stack->count;
}

/* Are the code objects still those that they are taken for? Most are copied already. */
static bool check_codes(const struct attempt *attempt, uint64_t check, const struct stack *stack) {
    enum { AT_ONCE = 64 };
    struct copier *copier = attempt->copier;
    struct code *unchecked[AT_ONCE];
    int count = 0;
    bool good = true;
    for (int i = 0; i < attempt->code_count; i++)
        codes_confirm(attempt->codes[i], copier->memory + attempt->code_at[i], check);
    for (int i = 0; i < stack->count && good; i++) {
        struct code *code = stack->frames[i].code;
        if (code->checked == check)
            continue;
        code->checked = check; /* so that it is there once */
        unchecked[count++] = code;
        if (count == AT_ONCE) {
            good = codes_check(copier, unchecked, count, check);
            count = 0;
        }
    }
    return count ? codes_check(copier, unchecked, count, check) && good : good;
}

/* ---- Copying ---- */

/* Of the data stack: first what is around its end, then the rest. */
struct extent {
    uintptr_t rest, from, to;
};

#if COMPAT_HAVE_DATA_STACK
static struct extent foresee(const struct stack_trail *trail) {
    uintptr_t limit = trail->chunk + trail->chunk_size;
    if (!trail->chunk)
        return (struct extent){0, 0, 0};
    uintptr_t to = trail->highest + WINDOW_ABOVE < limit ? trail->highest + WINDOW_ABOVE : limit;
    uintptr_t from = trail->end > trail->chunk + WINDOW_BELOW ? trail->end - WINDOW_BELOW : trail->chunk;
    to &= ~WORD_MASK; /* as all copies that lie behind it are to be aligned */
    if (to > from + WINDOW_MAX)
        from = to - WINDOW_MAX;
    return (struct extent){trail->chunk, from & ~WORD_MASK, to};
}

/* What the copied thread state says of the data stack. False: another chunk than foreseen. */
static bool follow_stack(struct attempt *attempt, const PyThreadState *state) {
    struct stack_trail *trail = attempt->trail;
    uintptr_t chunk = compat_copied_chunk(state);
    compat_stack_chunk head;
    bool foreseen = chunk == trail->chunk;
    trail->end = compat_copied_stack_end(state);
    if (!foreseen) {
        bool good = chunk && !(chunk & WORD_MASK) && copier_read(attempt->copier, &head, chunk, CHUNK_HEAD) &&
                    head.size <= UINTPTR_MAX - chunk;
        trail->chunk = good ? chunk : 0;
        trail->chunk_size = good ? head.size : 0;
        trail->highest = 0;
    }
    if (trail->end < trail->chunk || trail->end > trail->chunk + trail->chunk_size)
        trail->end = trail->chunk;
    if (trail->highest < trail->end)
        trail->highest = trail->end;
    else
        trail->highest -= (trail->highest - trail->end) / 16;
    return foreseen;
}

static void find_older(struct attempt *attempt, const struct extent *extent) {
    compat_stack_chunk head;
    const struct region *region = attempt->regions + attempt->region_count - 1;
    if (!attempt->region_count || region->from != extent->rest || !holds(region, extent->rest, CHUNK_HEAD))
        return;
    memcpy(&head, attempt->copier->memory + region->at, CHUNK_HEAD);
    attempt->older = (uintptr_t)head.previous;
}
#else
static struct extent foresee(const struct stack_trail *trail) {
    (void)trail;
    return (struct extent){0, 0, 0};
}

static bool follow_stack(struct attempt *attempt, const PyThreadState *state) {
    (void)attempt, (void)state;
    return true;
}

static void find_older(struct attempt *attempt, const struct extent *extent) {
    (void)attempt, (void)extent;
}
#endif

/* Behind all frames, as they may be gone: code objects that have not been looked at yet, and the callable. */
static void add_codes(struct attempt *attempt, struct pieces *pieces, uint64_t check) {
    const struct stack_trail *trail = attempt->trail;
    attempt->code_count = 0;
    for (int i = 0; i < trail->code_count && pieces->count + CODES_PIECES < COPY_PIECES; i++) {
        struct code *code = codes_find(trail->codes[i]);
        if (!code || code->checked == check)
            continue;
        attempt->codes[attempt->code_count] = code;
        attempt->code_at[attempt->code_count++] = pieces->at;
        pieces->at += codes_foresee(code, &pieces->pieces[pieces->count]);
        pieces->count += CODES_PIECES;
    }
    attempt->callable = trail->callable;
    attempt->callable_at = pieces->at;
    if (attempt->callable && pieces->count < COPY_PIECES)
        pieces_add(pieces, attempt->callable, sizeof(struct natives_head));
}

/* Forgets those of which there is no copy. */
static void drop_codes(struct attempt *attempt, size_t got) {
    size_t end = attempt->callable_at; /* of the last code's copy */
    if (end + sizeof(struct natives_head) > got)
        attempt->callable = 0;
    for (; attempt->code_count && end > got; attempt->code_count--)
        end = attempt->code_at[attempt->code_count - 1];
}

/* Copies all that is foreseen. False: something has gone, or it is not what was foreseen. */
static bool copy_all(struct attempt *attempt, uintptr_t tstate, uintptr_t interp, uint64_t check) {
    static struct pieces pieces; /* one thread; large for its stack */
    struct copier *copier = attempt->copier;
    struct stack_trail *trail = attempt->trail;
    struct extent extent = foresee(trail);
    pieces.count = 0;
    pieces.at = 0;
    attempt->top_word = pieces_add(&pieces, tstate + COMPAT_TSTATE_TOP, sizeof(uintptr_t));
    attempt->cframes = pieces.at;
    for (int i = 0; i < trail->cframe_count; i++)
        pieces_add(&pieces, trail->cframes[i].address, sizeof(compat_cframe));
    size_t window = pieces.at;
    if (extent.to)
        pieces_add(&pieces, extent.from, extent.to - extent.from);
    attempt->recent = pieces.at;
    for (int i = 0; i < trail->recent_count; i++)
        pieces_add(&pieces, trail->recent[i].address, FRAME_COPY);
    attempt->word_after = pieces_add(&pieces, tstate + COMPAT_TSTATE_TOP, sizeof(uintptr_t));
    attempt->frames_at = pieces.at;
    for (int i = 0; i < trail->known; i++)
        pieces_add(&pieces, trail->frames[i], FRAME_COPY);
    attempt->state = pieces_add(&pieces, tstate, sizeof(PyThreadState));
    size_t rest = pieces.at;
    if (extent.from - extent.rest > (copier->size - COPY_SPARE) / 2)
        extent.rest = extent.from; /* there is no room for it: each frame there is read by itself */
    if (extent.from > extent.rest)
        pieces_add(&pieces, extent.rest, extent.from - extent.rest);
    size_t frames_end = pieces.at;
    add_codes(attempt, &pieces, check);
    size_t got = copier_gather(copier, 0, pieces.pieces, pieces.count);
    drop_codes(attempt, got);
    attempt->used = (pieces.at + 63) & ~(size_t)63;
    if (got < frames_end) {
        memset(trail, 0, offsetof(struct stack_trail, frames)); /* something foreseen is gone */
        return false;
    }
    PyThreadState state;
    memcpy(&state, copier->memory + attempt->state, sizeof state);
    if (!follow_stack(attempt, &state) || (uintptr_t)state.interp != interp)
        return false;
    add_region(attempt, extent.from, extent.to, window);
    add_region(attempt, extent.rest, extent.from, rest);
    find_older(attempt, &extent);
    return true;
}

/* ---- What is foreseen for the next time ---- */

static int find_place(const struct stack_trail *trail, uintptr_t address) {
    int at = 0;
    while (at < trail->recent_count && trail->recent[at].address != address)
        at++;
    return at;
}

static void remove_recent(struct stack_trail *trail, int at) {
    memmove(&trail->recent[at], &trail->recent[at + 1],
            (size_t)(--trail->recent_count - at) * sizeof *trail->recent);
}

static void remove_oldest(struct stack_trail *trail) {
    int oldest = 0;
    for (int i = 1; i < trail->recent_count; i++)
        if (trail->recent[i].used < trail->recent[oldest].used)
            oldest = i;
    remove_recent(trail, oldest);
}

/* Puts it before its caller, which is recent too; 0: none. */
static void add_to_recent(struct stack_trail *trail, uintptr_t address, uintptr_t caller) {
    int at = find_place(trail, address);
    if (at < trail->recent_count && at < find_place(trail, caller)) {
        trail->recent[at].used = trail->samples;
        return;
    }
    if (at < trail->recent_count)
        remove_recent(trail, at);
    if (trail->recent_count == STACK_RECENT)
        remove_oldest(trail);
    int to = find_place(trail, caller);
    memmove(&trail->recent[to + 1], &trail->recent[to],
            (size_t)(trail->recent_count - to) * sizeof *trail->recent);
    trail->recent[to] = (struct stack_recent){address, trail->samples};
    trail->recent_count++;
}

static void remember(struct attempt *attempt) {
    struct stack_trail *trail = attempt->trail;
    int innermost = attempt->now_count < INNERMOST ? attempt->now_count : INNERMOST;
    trail->samples++;
    for (int i = innermost - 1; i >= 0; i--)
        add_to_recent(trail, attempt->now[i], i + 1 < innermost ? attempt->now[i + 1] : 0);
    trail->known = 0;
    for (int i = 0; i < attempt->now_count; i++)
        if (find_place(trail, attempt->now[i]) == trail->recent_count)
            trail->frames[trail->known++] = attempt->now[i];
}

/* Who has called whom. */
static void learn(struct stack_trail *trail, const struct stack *stack) {
    for (int i = 0; i < INNERMOST && i + 1 < stack->count; i++) {
        const struct stack_frame *frame = &stack->frames[i];
        struct stack_link *link = trail->links;
        while (link < trail->links + STACK_LINKS &&
               (link->frame != frame->address || link->code != frame->code->address))
            link++;
        if (link == trail->links + STACK_LINKS) {
            link = &trail->links[trail->link_next];
            trail->link_next = (trail->link_next + 1) % STACK_LINKS;
        }
        *link = (struct stack_link){frame->address, frame->code->address, frame[1].address,
                                    frame[1].code->address};
    }
}

/* Which code objects there are. */
static void note_codes(struct stack_trail *trail, const struct stack *stack) {
    static uint64_t stacks; /* one thread */
    stacks++;
    trail->code_count = 0;
    for (int i = 0; i < stack->count && trail->code_count < STACK_CODES; i++) {
        struct code *code = stack->frames[i].code;
        if (code->noted == stacks)
            continue;
        code->noted = stacks;
        trail->codes[trail->code_count++] = code->address;
    }
}

/* ---- One stack ---- */

static uint64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

/* Did a copy take much longer than others? Then the processor was taken away in the middle of it. */
static bool was_interrupted(uint64_t took, size_t size) {
    static uint64_t usual; /* ns, for a page; one thread */
    uint64_t each = took * PAGE / (size + PAGE);
    bool interrupted = usual && each > 2 * usual + 1000;
    usual = usual ? usual - usual / 16 + (each > 4 * usual ? 4 * usual : each) / 16 : each;
    return interrupted;
}

static bool walk_copies(struct attempt *attempt, struct stack *stack) {
    uintptr_t word = word_at(attempt, attempt->top_word);
    attempt->top = resolve_top(attempt, word);
    attempt->infers = false;
    attempt->unforeseen = 0;
    if (word && !attempt->top)
        return false;
    bool good = walk(attempt, stack);
    if (!good && !attempt->unforeseen) {
        attempt->infers = true;
        good = walk(attempt, stack);
    }
    return good && !attempt->unforeseen;
}

static struct attempt attempt; /* one thread; large for its stack */

bool stacks_take(struct copier *copier, uintptr_t tstate, uintptr_t interp, struct stack_trail *trail,
                 uint64_t check, struct stack *stack) {
    for (stack->attempts = 1; stack->attempts <= ATTEMPTS; stack->attempts++) {
        attempt.copier = copier;
        attempt.trail = trail;
        attempt.region_count = attempt.now_count = 0;
        attempt.older = 0;
        uint64_t start = now();
        if (!copy_all(&attempt, tstate, interp, check))
            continue;
        if (was_interrupted(now() - start, attempt.used) && stack->attempts < ATTEMPTS / 2)
            continue;
        bool good = walk_copies(&attempt, stack);
        remember(&attempt);
        if (good && check_codes(&attempt, check, stack)) {
            stack->inferred = attempt.infers;
            note_codes(trail, stack);
            if (!attempt.infers)
                learn(trail, stack);
            return true;
        }
    }
    return false;
}

/* ---- What the innermost frame calls ---- */

enum { CALL_WORDS = 2 };

static bool find_words(const struct attempt *attempt, uintptr_t address, uintptr_t words[CALL_WORDS]) {
    const size_t size = CALL_WORDS * sizeof *words;
    for (int i = 0; i < attempt->region_count; i++) {
        const struct region *region = &attempt->regions[i];
        if (holds(region, address, size)) {
            memcpy(words, attempt->copier->memory + region->at + (address - region->from), size);
            return true;
        }
    }
    return false;
}

/* Of a frame of which only the head has been copied: it must still be at that instruction. */
static bool read_words(struct copier *copier, const struct stack_frame *frame, uintptr_t address,
                       uintptr_t words[CALL_WORDS]) {
    compat_frame copy; /* its head */
    uintptr_t code = frame->code->address;
    return copier_read(copier, words, address, CALL_WORDS * sizeof *words) &&
           copier_read(copier, &copy, frame->address, COMPAT_FRAME_HEAD) && runs(&copy) &&
           compat_copied_frame_code(&copy) == code &&
           compat_copied_frame_instruction(&copy, code) == frame->instruction;
}

static uintptr_t find_callable(struct copier *copier, const struct stack *stack) {
    const struct stack_frame *frame = &stack->frames[0];
    const compat_frame *copy =
        stack->count && !stack->inferred ? find_copied(&attempt, frame->address) : NULL;
    uintptr_t words[CALL_WORDS];
    bool or_above;
    int place = copy ? calls_find(copier, frame->code, frame->instruction, &or_above) : -1;
    if (place < 0)
        return 0;
    uintptr_t address = compat_copied_frame_stack(copy, frame->address, frame->code->variables) +
                        (uintptr_t)place * sizeof(PyObject *);
    if (!find_words(&attempt, address, words) && !read_words(copier, frame, address, words))
        return 0;
    uintptr_t first = compat_copied_variable(words[0]);
    return first || !or_above ? first : compat_copied_variable(words[1]);
}

uintptr_t stacks_callable(struct copier *copier, const struct stack *stack, const void **head) {
    uintptr_t callable = find_callable(copier, stack);
    bool copied = callable && callable == attempt.callable;
    *head = copied ? copier->memory + attempt.callable_at : NULL;
    if (callable)
        attempt.trail->callable = callable;
    return callable;
}
