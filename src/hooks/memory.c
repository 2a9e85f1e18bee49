/*
 * memory.c: mem-alloc and mem-free, by hooks around CPython's allocators (PyMem_SetAllocator), one for each
 * of their three domains.
 *
 * Threads may be reading a domain's table while it is exchanged: the raw domain is used without the GIL, the
 * others also by interpreters with a GIL of their own. So our table has the ctx of the one below it, which
 * our functions ignore: a mixture of the two is as good as either, and the copies of tables below stay valid
 * for ever. Another tool (tracemalloc) may lie below ours, and keeps its calls, or above: then we stay in its
 * chain when we leave, and pass on what comes.
 */
#include "compat.h"

#include "events.h"
#include "internal.h"
#include "sources.h"
#include "threads.h"

#include <stdlib.h>
#include <string.h>

enum { DOMAINS = PYMEM_DOMAIN_OBJ + 1 };

static const char *const domain_names[DOMAINS] = {
    [PYMEM_DOMAIN_RAW] = "raw",
    [PYMEM_DOMAIN_MEM] = "mem",
    [PYMEM_DOMAIN_OBJ] = "object",
};

/* A table that was found, and ours put above it; never changed and never freed. */
struct table {
    struct table *next;
    PyMemAllocatorEx allocator;
};

/* What our functions of a domain call. Written with the GIL; atomic. */
static const struct table *below[DOMAINS];

/* ---- The calling thread ---- */

enum state {
    IDLE,
    BUSY,    /* in a call, or in something of our own: what is allocated now is no event */
    LOOKING, /* in a call by which we find out whether our functions are in the chain, */
    REACHED, /* and they are */
};

static __thread struct {
    enum state state;
    bool moving;            /* the event at hand is that of a block which was resized, */
    const void *moved_from; /* and lay here, which somebody may still refer to */
} self THREAD_TLS_MODEL;

bool memory_mute(void) {
    bool before = self.state == BUSY;
    self.state = BUSY;
    return before;
}

void memory_unmute(bool before) {
    self.state = before ? BUSY : IDLE;
}

bool memory_moves(const void *block) {
    return self.moving && self.moved_from == block;
}

/* ---- The hooks ---- */

/* Is this call an event? Then end() is to follow. Calls within a call are none: a large object's memory is
   asked of the raw domain, and told as the object's. */
static inline bool begin(void) {
    if (self.state == LOOKING)
        self.state = REACHED;
    if (self.state != IDLE || !(event_wanted(PROBE_MEM_ALLOC) || event_wanted(PROBE_MEM_FREE)))
        return false;
    self.state = BUSY;
    return true;
}

static inline void end(void) {
    self.state = IDLE;
}

/* Without the GIL there is no stack to look at: the raw domain needs none. */
static enum event_frame frame_of_now(void) {
    return compat_has_gil() ? EVENT_FRAME_RUNS : EVENT_FRAME_NONE;
}

static __attribute__((noinline)) void tell_alloc(PyMemAllocatorDomain domain, size_t size, void *block) {
    event_mem_alloc(size, domain_names[domain], block, frame_of_now());
}

static __attribute__((noinline)) void tell_free(PyMemAllocatorDomain domain, void *block) {
    event_mem_free(domain_names[domain], block, frame_of_now());
}

static inline const PyMemAllocatorEx *allocator_below(PyMemAllocatorDomain domain) {
    return &__atomic_load_n(&below[domain], __ATOMIC_ACQUIRE)->allocator;
}

static inline void *hooked_malloc(PyMemAllocatorDomain domain, size_t size) {
    const PyMemAllocatorEx *allocator = allocator_below(domain);
    bool is_event = begin();
    void *block = allocator->malloc(allocator->ctx, size);
    if (!is_event)
        return block;
    if (block)
        tell_alloc(domain, size, block);
    end();
    return block;
}

static inline void *hooked_calloc(PyMemAllocatorDomain domain, size_t count, size_t size) {
    const PyMemAllocatorEx *allocator = allocator_below(domain);
    bool is_event = begin();
    void *block = allocator->calloc(allocator->ctx, count, size);
    if (!is_event)
        return block;
    if (block)
        tell_alloc(domain, count * size, block);
    end();
    return block;
}

/* A block that is resized is given back and given out, also where it stays in its place. That it goes is
   known only afterwards, since it does not when memory is short. */
static inline void *hooked_realloc(PyMemAllocatorDomain domain, void *block, size_t size) {
    const PyMemAllocatorEx *allocator = allocator_below(domain);
    bool is_event = begin();
    void *resized = allocator->realloc(allocator->ctx, block, size);
    if (!is_event)
        return resized;
    if (resized) {
        self.moving = true;
        self.moved_from = block;
        if (block)
            tell_free(domain, block);
        tell_alloc(domain, size, resized);
        self.moving = false;
    }
    end();
    return resized;
}

/* Told before it happens: afterwards another thread may have been given the block, and told so. */
static inline void hooked_free(PyMemAllocatorDomain domain, void *block) {
    const PyMemAllocatorEx *allocator = allocator_below(domain);
    bool is_event = begin();
    if (is_event && block)
        tell_free(domain, block);
    allocator->free(allocator->ctx, block);
    if (is_event)
        end();
}

#define HOOKS_OF(name, domain)                                                                               \
    static void *name##_malloc(void *ctx, size_t size) {                                                     \
        (void)ctx;                                                                                           \
        return hooked_malloc(domain, size);                                                                  \
    }                                                                                                        \
    static void *name##_calloc(void *ctx, size_t count, size_t size) {                                       \
        (void)ctx;                                                                                           \
        return hooked_calloc(domain, count, size);                                                           \
    }                                                                                                        \
    static void *name##_realloc(void *ctx, void *block, size_t size) {                                       \
        (void)ctx;                                                                                           \
        return hooked_realloc(domain, block, size);                                                          \
    }                                                                                                        \
    static void name##_free(void *ctx, void *block) {                                                        \
        (void)ctx;                                                                                           \
        hooked_free(domain, block);                                                                          \
    }

HOOKS_OF(raw, PYMEM_DOMAIN_RAW)
HOOKS_OF(mem, PYMEM_DOMAIN_MEM)
HOOKS_OF(object, PYMEM_DOMAIN_OBJ)

static const PyMemAllocatorEx hooks[DOMAINS] = {
    [PYMEM_DOMAIN_RAW] = {NULL, raw_malloc, raw_calloc, raw_realloc, raw_free},
    [PYMEM_DOMAIN_MEM] = {NULL, mem_malloc, mem_calloc, mem_realloc, mem_free},
    [PYMEM_DOMAIN_OBJ] = {NULL, object_malloc, object_calloc, object_realloc, object_free},
};

/* ---- Coming and going; GIL ---- */

/* A copy that stays; NULL if memory is short. */
static const struct table *keep(const PyMemAllocatorEx *allocator) {
    static struct table *all;
    for (struct table *table = all; table; table = table->next)
        if (memcmp(&table->allocator, allocator, sizeof *allocator) == 0)
            return table;
    struct table *table = malloc(sizeof *table);
    if (!table)
        return NULL;
    *table = (struct table){.next = all, .allocator = *allocator};
    all = table;
    return table;
}

static bool is_on_top(PyMemAllocatorDomain domain, PyMemAllocatorEx *top) {
    PyMem_GetAllocator(domain, top);
    return top->malloc == hooks[domain].malloc;
}

/* Does what is on top of us, if anything, call us? */
static bool is_in_chain(const PyMemAllocatorEx *top) {
    enum state before = self.state;
    self.state = LOOKING;
    top->free(top->ctx, top->malloc(top->ctx, 1));
    bool reached = self.state == REACHED;
    self.state = before;
    return reached;
}

/* The chain may not hold us twice, as each of us would call the other. */
static bool come(PyMemAllocatorDomain domain) {
    PyMemAllocatorEx top;
    if (is_on_top(domain, &top) || (below[domain] && is_in_chain(&top)))
        return true;
    const struct table *found = keep(&top);
    if (!found)
        return false;
    __atomic_store_n(&below[domain], found, __ATOMIC_RELEASE);
    PyMemAllocatorEx ours = hooks[domain];
    ours.ctx = top.ctx;
    PyMem_SetAllocator(domain, &ours);
    return true;
}

/* False: another tool lies above us, and we stay. */
static bool go(PyMemAllocatorDomain domain) {
    PyMemAllocatorEx top;
    if (!below[domain])
        return true;
    if (!is_on_top(domain, &top))
        return !is_in_chain(&top);
    PyMemAllocatorEx found = below[domain]->allocator;
    PyMem_SetAllocator(domain, &found);
    return true;
}

static bool lingering;

bool memory_hook_set(bool wanted) {
    static bool there;
    bool failed = false;
    if (!wanted && !there && !lingering)
        return false;
    lingering = false;
    for (int domain = 0; domain < DOMAINS; domain++) {
        if (wanted)
            failed = !come((PyMemAllocatorDomain)domain) || failed;
        else
            lingering = !go((PyMemAllocatorDomain)domain) || lingering;
    }
    there = wanted;
    return wanted && !failed;
}

bool memory_hook_lingers(void) {
    return lingering;
}
