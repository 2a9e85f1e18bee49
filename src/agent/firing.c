/*
 * firing.c: a listener of the hooks that hands each event to the engines of those sessions that want it.
 *
 * Which sessions those are stands in a page that a fork() wipes in the child: even one that was made past
 * every handler never touches an arena, which it does not have.
 */
#include "hooks/compat.h"

#include "firing.h"

#include "hooks/code.h"
#include "sampler/sampler.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#if defined __linux__
#    include <sys/syscall.h>
#endif

#define LIKELY(condition) __builtin_expect(!!(condition), 1)
#define UNLIKELY(condition) __builtin_expect(!!(condition), 0)

struct firing_session firing_sessions[CONTROL_SESSIONS_MAX];

/* Bit i stands for the session in place i. */
struct live {
    uint64_t version;               /* atomic: grows with each change of what follows; 0: in such a child */
    uint8_t admitted;               /* atomic; written by the agent, or by whoever ends all */
    uint8_t listening[PROBE_COUNT]; /* by firing_settle: to this probe */
};

/* A thread that has fired. Kept for ever, for the next new thread, so that the agent can walk the list. */
struct traced {
    struct traced *next;       /* constant once it is in the list */
    uint32_t taken;            /* atomic: it belongs to a thread */
    uint32_t passes;           /* atomic: odd while the thread is inside, with an engine in its hands */
    uint32_t tid;              /* as the kernel numbers it */
    unsigned endings;          /* rounds of key destructors that it has seen */
    const struct event *event; /* at hand, while inside */
    bool samples;              /* it is the sampler's, and fires for another thread */
    uint64_t version;          /* of `live` that `only` holds for */
    struct engine_thread
        *only[PROBE_COUNT]; /* of the one session that listens to this probe of code; else NULL */
    struct {
        uint64_t serial;              /* of the session that `thread` is for */
        struct engine_thread *thread; /* NULL: there was no room in the arena */
        unsigned missed;              /* events since */
    } at[CONTROL_SESSIONS_MAX];
};

static struct live *live;
static struct traced *all;    /* atomic; the list's head */
static pthread_key_t end_key; /* its value is the thread's struct */
static bool fences;           /* each pass needs a fence of its own, as there is no membarrier() */
static uint64_t changes;      /* atomic: sessions admitted and dismissed so far */
static uint64_t versions;     /* atomic: of `live` so far */
static uint64_t settled;      /* atomic: `changes` that firing_settle has seen */
static uint64_t admitted_by[CONTROL_SESSIONS_MAX]; /* `changes` with this one's admission */

#if defined __GLIBC__ || defined __FreeBSD__
static __thread struct traced *self __attribute__((tls_model("initial-exec")));
#else
static __thread struct traced *self;
#endif

/* ---- Inside ---- */

/* A thread says that it is inside before it looks which sessions there are; the agent dismisses one before it
   looks who is inside. membarrier() by the agent makes that order hold without a fence here. */
static inline uint32_t enter(struct traced *thread) {
    uint32_t before = thread->passes;
    __atomic_store_n(&thread->passes, before | 1, __ATOMIC_RELAXED);
    if (UNLIKELY(fences))
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
    else
        __atomic_signal_fence(__ATOMIC_SEQ_CST);
    return before;
}

static inline void leave(struct traced *thread, uint32_t before) {
    if (!(before & 1))
        __atomic_store_n(&thread->passes, before + 2, __ATOMIC_RELEASE);
}

/* False: the system has no membarrier(), or forbids it. */
static bool fence_all_threads(void) {
#if defined __linux__ && defined SYS_membarrier
    enum { PRIVATE_EXPEDITED = 1 << 3, REGISTER_PRIVATE_EXPEDITED = 1 << 4 };
    return syscall(SYS_membarrier, PRIVATE_EXPEDITED, 0) == 0 ||
           (syscall(SYS_membarrier, REGISTER_PRIVATE_EXPEDITED, 0) == 0 &&
            syscall(SYS_membarrier, PRIVATE_EXPEDITED, 0) == 0);
#else
    return false;
#endif
}

bool firing_is_over(void) {
    enum { SPINS = 2000 }; /* some ten microseconds; a pass takes one, if the thread has a processor */
    if (fences || !fence_all_threads())
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
    for (struct traced *t = __atomic_load_n(&all, __ATOMIC_ACQUIRE); t; t = t->next) {
        uint32_t seen = __atomic_load_n(&t->passes, __ATOMIC_ACQUIRE);
        for (int i = 0; (seen & 1) && __atomic_load_n(&t->passes, __ATOMIC_ACQUIRE) == seen; i++)
            if (i == SPINS)
                return false;
    }
    return true;
}

/* ---- Threads ---- */

static uint32_t thread_id(void) {
#if defined __linux__
    return (uint32_t)syscall(SYS_gettid);
#else
    return (uint32_t)(uintptr_t)pthread_self();
#endif
}

static struct traced *take_one_left(void) {
    for (struct traced *t = __atomic_load_n(&all, __ATOMIC_ACQUIRE); t; t = t->next) {
        uint32_t free = 0;
        if (!__atomic_load_n(&t->taken, __ATOMIC_RELAXED) &&
            __atomic_compare_exchange_n(&t->taken, &free, 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
            return t;
    }
    return NULL;
}

static struct traced *make_one(void) {
    struct traced *made = calloc(1, sizeof *made);
    if (!made)
        return NULL;
    made->taken = 1;
    made->next = __atomic_load_n(&all, __ATOMIC_RELAXED);
    while (!__atomic_compare_exchange_n(&all, &made->next, made, true, __ATOMIC_RELEASE, __ATOMIC_RELAXED)) {
    }
    return made;
}

static void forget_only(struct traced *thread) {
    thread->version = 0;
    memset(thread->only, 0, sizeof thread->only);
}

/* The calling thread's first event. NULL if memory is short. */
static __attribute__((noinline)) struct traced *introduce(void) {
    int saved_errno = errno;
    struct traced *thread = take_one_left();
    if (!thread)
        thread = make_one();
    if (thread) {
        thread->tid = thread_id();
        thread->endings = 0;
        thread->event = NULL;
        thread->samples = false;
        memset(thread->at, 0, sizeof thread->at);
        forget_only(thread);
        self = thread;
        pthread_setspecific(end_key, thread);
    }
    errno = saved_errno;
    return thread;
}

static inline struct traced *calling_thread(void) {
    return self ? self : introduce();
}

static void leave_engines(struct traced *thread) {
    uint32_t before = enter(thread);
    unsigned admitted = __atomic_load_n(&live->admitted, __ATOMIC_ACQUIRE);
    for (int i = 0; i < CONTROL_SESSIONS_MAX; i++) {
        bool valid = (admitted & 1u << i) && thread->at[i].serial == firing_sessions[i].serial;
        if (valid && thread->at[i].thread)
            engine_thread_leave(thread->at[i].thread);
        thread->at[i].serial = 0;
    }
    forget_only(thread);
    leave(thread, before);
}

/* In the second round, as thread-exit fires in the first. */
static void thread_ended(void *memory) {
    struct traced *thread = memory;
    if (thread->endings++ == 0) {
        pthread_setspecific(end_key, thread);
        return;
    }
    leave_engines(thread);
    self = NULL;
    __atomic_store_n(&thread->taken, 0, __ATOMIC_RELEASE);
}

void firing_leave(void) {
    if (self)
        leave_engines(self);
}

/* Find room in the arena of this session. Without, its events are counted as dropped, and now and then it is
   tried again, as other threads end. */
static __attribute__((noinline)) struct engine_thread *find_room(struct traced *thread, int place) {
    enum { TRY_AGAIN = 256 };
    struct firing_session *session = &firing_sessions[place];
    int saved_errno = errno;
    if (thread->at[place].serial != session->serial)
        thread->at[place].missed = 0;
    thread->at[place].serial = session->serial;
    thread->at[place].thread = NULL;
    if (thread->at[place].missed % TRY_AGAIN == 0) {
        bool is_main = thread->tid == (uint32_t)getpid();
        thread->at[place].thread = engine_thread_enter(session->engine, is_main ? session->pid : thread->tid);
    }
    if (!thread->at[place].thread) {
        thread->at[place].missed++;
        engine_drop(session->engine, DROP_PRINCIPAL);
    }
    errno = saved_errno;
    return thread->at[place].thread;
}

/* ---- Events ---- */

/* What the hooks give of each probe: does it fire for a code object, and which arguments are of that alone?
   The line of function-entry is not: a generator is resumed at another one. C functions fire in the code of
   their caller, but their names are their own. */
#define ARGUMENT(number) (1u << (number))
static const struct {
    uint16_t by_code;
    bool has_code;
    uint8_t function; /* the argument that is probefunc; 0: the code object's */
} shapes[PROBE_COUNT] = {
    [PROBE_FUNCTION_ENTRY] = {ARGUMENT(0) | ARGUMENT(1) | ARGUMENT(3), true, 0},
    [PROBE_FUNCTION_RETURN] = {ARGUMENT(0) | ARGUMENT(1) | ARGUMENT(3), true, 0},
    [PROBE_LINE] = {ARGUMENT(0) | ARGUMENT(1), true, 0},
    [PROBE_C_FUNCTION_ENTRY] = {0, false, 1},
    [PROBE_C_FUNCTION_RETURN] = {0, false, 1},
    [PROBE_EXCEPTION_RAISE] = {ARGUMENT(2), true, 0},
};

struct engine_probe firing_probe(enum probe probe) {
    struct engine_probe described = {
        .name = probe_table[probe].name,
        .by_code = shapes[probe].by_code,
        .has_code = shapes[probe].has_code,
    };
    for (int i = 0; i < probe_table[probe].argument_count; i++)
        if (strcmp(probe_table[probe].arguments[i].type, "char *") == 0)
            described.strings |= ARGUMENT(i);
    return described;
}

static inline struct engine_event describe(enum probe probe, const struct event *event) {
    const struct code_record *code = event->code;
    int function = shapes[probe].function;
    return (struct engine_event){
        .probe = probe,
        .code_id = code && shapes[probe].has_code ? code->id : 0,
        .file = code ? code->file : NULL,
        .function = function ? (const char *)(uintptr_t)event->arguments[function]
                    : code   ? code->func
                             : NULL,
        .arguments = event->arguments,
    };
}

/* One session after the other. Where it was but one, the thread goes straight to it from now on. */
static __attribute__((noinline)) void fire_each(struct traced *thread, enum probe probe,
                                                const struct event *event) {
    uint64_t version = __atomic_load_n(&live->version, __ATOMIC_ACQUIRE);
    unsigned sessions = live->listening[probe] & __atomic_load_n(&live->admitted, __ATOMIC_ACQUIRE);
    bool is_one = sessions && !(sessions & (sessions - 1));
    struct engine_event described = describe(probe, event);
    if (thread->version != version)
        forget_only(thread);
    thread->version = version;
    for (; sessions; sessions &= sessions - 1) {
        int place = __builtin_ctz(sessions);
        struct engine_thread *engine_thread = thread->at[place].thread;
        if (UNLIKELY(thread->at[place].serial != firing_sessions[place].serial || !engine_thread))
            engine_thread = find_room(thread, place);
        if (!engine_thread)
            continue;
        if (is_one && (PROBES_OF_CODE & PROBE_BIT(probe))) /* which have event->fired */
            thread->only[probe] = engine_thread;
        engine_fire(engine_thread, &described);
    }
}

static void fire(void *context, enum probe probe, struct event *event);

/* A thread's first event, if there is a session to fire for. */
static __attribute__((noinline)) void fire_first(void *context, enum probe probe, struct event *event) {
    bool heard = (live->listening[probe] & __atomic_load_n(&live->admitted, __ATOMIC_RELAXED)) != 0;
    if (heard && introduce())
        fire(context, probe, event);
}

/* An event of what an event does: the thread is inside already. */
static __attribute__((noinline)) void fire_within(struct traced *thread, enum probe probe,
                                                  const struct event *event) {
    const struct event *outer = thread->event;
    thread->event = event;
    fire_each(thread, probe, event);
    thread->event = outer;
}

static void fire(void *context, enum probe probe, struct event *event) {
    struct traced *thread = self;
    if (UNLIKELY(!thread)) {
        fire_first(context, probe, event);
        return;
    }
    if (UNLIKELY(enter(thread) & 1)) {
        fire_within(thread, probe, event);
        return;
    }
    struct engine_thread *only = thread->only[probe];
    thread->event = event;
    if (LIKELY(only && thread->version == __atomic_load_n(&live->version, __ATOMIC_ACQUIRE)))
        engine_fire(only, &event->fired);
    else
        fire_each(thread, probe, event);
    __atomic_store_n(&thread->passes, thread->passes + 1, __ATOMIC_RELEASE); /* it is odd, by enter */
}

static probe_set wants(void *context, const struct code_record *code) {
    (void)context;
    struct traced *thread = calling_thread();
    if (!thread)
        return PROBE_ALL;
    struct event event = {
        .code = code,
        .arguments = {(uintptr_t)code->file, (uintptr_t)code->func, 0, (uintptr_t)code->qualname},
    };
    probe_set wanted = 0;
    uint32_t before = enter(thread);
    for (unsigned sessions = __atomic_load_n(&live->admitted, __ATOMIC_ACQUIRE); sessions;
         sessions &= sessions - 1) {
        const struct firing_session *session = &firing_sessions[__builtin_ctz(sessions)];
        for (probe_set left = session->wants & PROBES_OF_CODE; left; left &= left - 1) {
            enum probe probe = (enum probe)__builtin_ctz(left);
            struct engine_event described = describe(probe, &event);
            if (!(session->selective & PROBE_BIT(probe)) || engine_wants_code(session->engine, &described))
                wanted |= PROBE_BIT(probe);
        }
    }
    leave(thread, before);
    return wanted;
}

static void forget(void *context, uint32_t id) {
    (void)context;
    if (!__atomic_load_n(&live->admitted, __ATOMIC_RELAXED))
        return;
    struct traced *thread = calling_thread();
    if (!thread)
        return;
    uint32_t before = enter(thread);
    for (unsigned sessions = __atomic_load_n(&live->admitted, __ATOMIC_ACQUIRE); sessions;
         sessions &= sessions - 1)
        engine_forget_code(firing_sessions[__builtin_ctz(sessions)].engine, id);
    leave(thread, before);
}

/* A call that is left out has neither an entry nor a return. */
static void drop(void *context, enum probe probe) {
    enum { CALL_PROBES = PROBE_BIT(PROBE_FUNCTION_ENTRY) | PROBE_BIT(PROBE_FUNCTION_RETURN) };
    (void)context;
    struct traced *thread = calling_thread();
    if (!thread)
        return;
    probe_set lost = PROBE_BIT(probe) & CALL_PROBES ? CALL_PROBES : PROBE_BIT(probe);
    uint32_t before = enter(thread);
    for (unsigned sessions = __atomic_load_n(&live->admitted, __ATOMIC_ACQUIRE); sessions;
         sessions &= sessions - 1) {
        const struct firing_session *session = &firing_sessions[__builtin_ctz(sessions)];
        if (session->wants & lost)
            engine_drop(session->engine, DROP_CALL);
    }
    leave(thread, before);
}

/* The engine's state is the sampler's own: no other thread's is ever touched. */
void firing_tick(int place, uint32_t probe, uint32_t tid) {
    struct traced *thread = calling_thread();
    if (!thread)
        return;
    uint32_t before = enter(thread);
    const struct firing_session *session = &firing_sessions[place];
    if (__atomic_load_n(&live->admitted, __ATOMIC_ACQUIRE) & 1u << place) {
        struct engine_thread *engine_thread = thread->at[place].thread;
        if (thread->at[place].serial != session->serial || !engine_thread)
            engine_thread = find_room(thread, place);
        if (engine_thread) {
            const uint64_t arguments[10] = {0, (uint64_t)(uintptr_t)firing_tick};
            thread->samples = true;
            errno = 0; /* D's errno is that of what the program did: nothing */
            engine_thread_act_for(engine_thread, tid == (uint32_t)getpid() ? session->pid : tid);
            engine_fire(engine_thread, &(struct engine_event){.probe = probe, .arguments = arguments});
        }
    }
    leave(thread, before);
}

static bool has_stack(const struct event *event) {
    return event && !event->stackless;
}

size_t firing_stack(char *text, size_t n, uint32_t frames) {
    if (self && self->samples)
        return sampler_stack(text, n, frames);
    return self && has_stack(self->event) ? hooks_stack(self->event, text, n, frames) : 0;
}

uint32_t firing_stackdepth(void) {
    if (self && self->samples)
        return sampler_stackdepth();
    return self && has_stack(self->event) ? hooks_stackdepth(self->event) : 0;
}

/* ---- Coming and going ---- */

static struct listener listener = {.fire = fire, .wants = wants, .forget = forget, .drop = drop};

/* What threads know of the sessions is void: before they are told that one is there, after that it is not. */
static void change_version(void) {
    uint64_t version = __atomic_add_fetch(&versions, 1, __ATOMIC_ACQ_REL);
    __atomic_store_n(&live->version, version, __ATOMIC_SEQ_CST);
}

void firing_admit(int place) {
    fences = fences || !fence_all_threads();
    admitted_by[place] = __atomic_add_fetch(&changes, 1, __ATOMIC_ACQ_REL);
    __atomic_or_fetch(&live->admitted, (uint8_t)(1u << place), __ATOMIC_SEQ_CST);
    change_version();
}

void firing_dismiss(int place) {
    unsigned admitted = __atomic_and_fetch(&live->admitted, (uint8_t) ~(1u << place), __ATOMIC_SEQ_CST);
    change_version();
    probe_set wanted = 0;
    for (int i = 0; i < CONTROL_SESSIONS_MAX; i++)
        if (admitted & 1u << i)
            wanted |= firing_sessions[i].wants;
    __atomic_add_fetch(&changes, 1, __ATOMIC_ACQ_REL);
    hooks_listen_less(wanted);
}

bool firing_unsettled(void) {
    return __atomic_load_n(&changes, __ATOMIC_ACQUIRE) != __atomic_load_n(&settled, __ATOMIC_ACQUIRE);
}

bool firing_is_settled(int place) {
    return __atomic_load_n(&settled, __ATOMIC_ACQUIRE) >= admitted_by[place];
}

void firing_settle(void) {
    uint64_t seen = __atomic_load_n(&changes, __ATOMIC_ACQUIRE);
    if (seen == settled)
        return;
    unsigned admitted = __atomic_load_n(&live->admitted, __ATOMIC_ACQUIRE);
    probe_set wanted = 0, selective = PROBES_OF_CODE;
    uint8_t listening[PROBE_COUNT] = {0};
    for (int i = 0; i < CONTROL_SESSIONS_MAX; i++) {
        if (!(admitted & 1u << i))
            continue;
        wanted |= firing_sessions[i].wants;
        selective &= firing_sessions[i].selective | ~firing_sessions[i].wants;
        for (unsigned probe = 0; probe < PROBE_COUNT; probe++)
            if (firing_sessions[i].wants & PROBE_BIT(probe))
                listening[probe] |= (uint8_t)(1u << i);
    }
    listener.probes = wanted;
    listener.selective = selective & wanted;
    memcpy(live->listening, listening, sizeof listening);
    change_version();
    hooks_listen(admitted ? &listener : NULL);
    __atomic_store_n(&settled, seen, __ATOMIC_RELEASE);
}

static void *wiped_page(void) {
    void *page = mmap(NULL, sizeof *live, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
#if defined MADV_WIPEONFORK
    if (page != MAP_FAILED)
        madvise(page, sizeof *live, MADV_WIPEONFORK);
#endif
    return page == MAP_FAILED ? NULL : page;
}

bool firing_initialise(void) {
    live = wiped_page();
    fences = !fence_all_threads(); /* the first takes some milliseconds once there are threads */
    return live && pthread_key_create(&end_key, thread_ended) == 0;
}

void firing_after_fork_in_child(void) {
    if (!live)
        return;
    memset(live, 0, sizeof *live);
    memset(firing_sessions, 0, sizeof firing_sessions);
    for (struct traced *t = all; t; t = t->next)
        if (t != self)
            t->taken = t->passes = 0;
    if (self)
        self->tid = thread_id();
    changes++; /* so that the hooks go */
    hooks_listen_less(0);
}
