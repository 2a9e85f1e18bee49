/*
 * engine.c: opens and closes an engine, gives states to threads, and fires: finds the clauses of an event and
 * runs them.
 */
#ifndef _GNU_SOURCE
#    define _GNU_SOURCE
#endif
#include "quick.h"
#include "verdict.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#define ALWAYS_INLINE __attribute__((always_inline))
#define LIKELY(condition) __builtin_expect(!!(condition), 1)
#define UNLIKELY(condition) __builtin_expect(!!(condition), 0)

enum { SPENT_SAMPLE = 64 /* firings, of which one is timed */ };

static uint64_t engines; /* opened so far in this process */

/* ---- Opening ---- */

static void set_program(struct engine *engine, const struct program_header *program) {
    engine->program = program;
    engine->instructions = program_entries(program, SECTION_INSTRUCTIONS);
    engine->integers = program_entries(program, SECTION_INTEGERS);
    engine->variables = program_entries(program, SECTION_VARIABLES);
    engine->kinds = program_entries(program, SECTION_KINDS);
    engine->aggregations = program_entries(program, SECTION_AGGREGATIONS);
    engine->actions = program_entries(program, SECTION_ACTIONS);
    engine->clauses = program_entries(program, SECTION_CLAUSES);
    engine->enablings = program_entries(program, SECTION_ENABLINGS);
}

static uint64_t size_option(const struct program_header *program, enum option option, uint64_t most) {
    int64_t value = program_option(program, option);
    return value < 0 ? 0 : (uint64_t)value > most ? most : (uint64_t)value;
}

static void set_options(struct engine *engine) {
    const struct program_header *program = engine->program;
    engine->strsize = (uint32_t)program_option(program, OPTION_STRSIZE);
    engine->bufsize = size_option(program, OPTION_BUFSIZE, UINT64_MAX / 4);
    engine->aggsize = size_option(program, OPTION_AGGSIZE, UINT64_MAX / 4);
    engine->specsize = size_option(program, OPTION_SPECSIZE, UINT64_MAX / 4);
    engine->scratchsize = size_option(program, OPTION_SCRATCHSIZE, 16 << 20);
    engine->bufpolicy = program_option(program, OPTION_BUFPOLICY);
    engine->wants_cpu = (program->flags & PROGRAM_WANTS_CPU) != 0;
    engine->destructive = program_option(program, OPTION_DESTRUCTIVE) > 0;
    engine->budget.left = size_option(program, OPTION_DYNVARSIZE, UINT64_MAX / 4);
}

static void set_execname(struct engine *engine) {
    char name[64] = "";
    int fd = open("/proc/self/comm", O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? 0 : read(fd, name, sizeof name);
    if (fd >= 0)
        close(fd);
    if (got > 0 && name[got - 1] == '\n')
        got--;
    engine->execname = engine_text(engine, name, got > 0 ? (size_t)got : 0, UINT32_MAX);
}

/* The constants of OP_SET_STRING as texts, each once. */
static bool set_constants(struct engine *engine) {
    uint32_t instructions = program_count(engine->program, SECTION_INSTRUCTIONS);
    size_t size = program_count(engine->program, SECTION_STRINGS) * sizeof(struct text *);
    const struct text **made = memory_map(size);
    engine->constants = engine_memory(engine, (instructions + 1ULL) * sizeof *engine->constants);
    bool good = made && engine->constants;
    for (uint32_t i = 0; good && i < instructions; i++) {
        const struct program_instruction *instruction = &engine->instructions[i];
        /* What no way leads to was not checked. */
        if (instruction->op != OP_SET_STRING || (uint32_t)instruction->immediate >= size / sizeof *made)
            continue;
        const struct text **text = &made[instruction->immediate];
        const char *string = program_string(engine->program, (uint32_t)instruction->immediate);
        if (!*text)
            *text = engine_text(engine, string, strlen(string), engine->strsize - 1);
        engine->constants[i] = *text;
        good = *text != NULL;
    }
    memory_unmap(made, size);
    return good;
}

static bool set_variables(struct engine *engine) {
    uint32_t variables = program_count(engine->program, SECTION_VARIABLES);
    uint32_t aggregations = program_count(engine->program, SECTION_AGGREGATIONS);
    engine->offsets = engine_memory(engine, (variables + 1ULL) * sizeof *engine->offsets);
    engine->words = engine_memory(engine, (aggregations + 1ULL) * sizeof *engine->words);
    engine->numbers_of = engine_memory(engine, variables + 1ULL);
    if (!engine->offsets || !engine->words || !engine->numbers_of)
        return false;
    variables_number(engine);
    for (enum variable_scope scope = SCOPE_GLOBAL; scope <= SCOPE_CLAUSE; scope++)
        engine->layouts[scope] = layout_scalars(engine->program, scope, engine->offsets);
    for (uint32_t i = 0; i < aggregations; i++)
        engine->words[i] = program_aggregation_words(&engine->aggregations[i]);
    return true;
}

__attribute__((format(printf, 4, 5))) static struct engine *give_up(struct engine *engine, char *problem,
                                                                    size_t n, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(problem, n, format, arguments);
    va_end(arguments);
    if (engine)
        engine_close(engine);
    return NULL;
}

/* Was the arena made for this program? */
static bool suits(const struct engine *engine, const struct arena *arena) {
    bool needs_dynamic = layout_has_dynamic(engine->program);
    return arena->shape.globals_size >= engine->layouts[SCOPE_GLOBAL].size &&
           arena->shape.aggregations >= program_count(engine->program, SECTION_AGGREGATIONS) &&
           (!needs_dynamic || arena->shape.dynamic_size > 0);
}

struct engine *engine_open(const void *program, size_t size, struct arena *arena,
                           const struct engine_host *host, char *problem, size_t n) {
    struct engine *engine = memory_map(sizeof *engine);
    if (!engine)
        return give_up(NULL, problem, n, "not enough memory for a session");
    memory_reader_open(&engine->reader);
    engine->ticks_usable = ticks_usable();
    engine->serial = __atomic_add_fetch(&engines, 1, __ATOMIC_RELAXED);
    engine->arena = arena;
    engine->host = *host;
    /* First copied, then checked: the sender cannot change it in between. */
    void *copy = size <= PROGRAM_SIZE_MAX ? engine_memory(engine, size) : NULL;
    if (!copy)
        return give_up(engine, problem, n, "no memory for a program of %zu bytes", size);
    memcpy(copy, program, size);
    if (!program_check(copy, size, problem, n)) {
        engine_close(engine);
        return NULL;
    }
    set_program(engine, copy);
    set_options(engine);
    if (!set_variables(engine) || !set_constants(engine))
        return give_up(engine, problem, n, "not enough memory for a session");
    if (!suits(engine, arena))
        return give_up(engine, problem, n, "the memory of the session was made for another program");
    engine->dynamic = (struct dynamic){arena->dynamic, arena->shape.dynamic_size, host->pid};
    set_execname(engine);
    if (!engine->execname || !verdict_open(engine))
        return give_up(engine, problem, n, "not enough memory for a session");
    return engine;
}

static void free_thread(struct engine_thread *thread) {
    aggregate_close(thread);
    store_close(&thread->store);
    memory_unmap(thread->deferred, DEFERRED_SIZE);
    memory_unmap(thread, thread->size);
}

void engine_close(struct engine *engine) {
    struct engine_thread *thread = engine->threads;
    while (thread) {
        struct engine_thread *next = thread->next;
        free_thread(thread);
        thread = next;
    }
    if (engine->decider)
        free_thread(engine->decider);
    verdict_close(engine);
    memory_unmap(engine, sizeof *engine);
}

/* ---- Threads ---- */

static uint64_t aligned(uint64_t size) {
    return (size + 63) / 64 * 64;
}

/* A thread's state, with its buffers behind it. `slot`: UINT32_MAX for the decider, who has none. */
struct engine_thread *thread_make(struct engine *engine, uint32_t slot) {
    const struct program_header *program = engine->program;
    uint64_t strings = (64ULL << 10) + 16ULL * engine->strsize + PROGRAM_BYTES_MAX;
    uint64_t speculations = engine->arena->shape.speculations * sizeof(struct thread_speculation);
    uint64_t candidates = program_count(program, SECTION_ENABLINGS) * sizeof(struct ready);
    uint64_t sizes[] = {
        sizeof(struct engine_thread),
        speculations,
        candidates,
        engine->layouts[SCOPE_THREAD].size,
        engine->layouts[SCOPE_CLAUSE].size,
        engine->numbers_count * sizeof(struct store_numbers),
        engine->numbers_count * (uint64_t)STORE_NUMBERS * sizeof(int64_t),
        (KNOWN_GROUPS + GROUPS_MAX) * sizeof(struct known_group),
        sizeof(struct text) + engine->strsize + 1ULL,
        engine->scratchsize,
        strings,
        STACKS_SIZE,
    };
    enum { PARTS = sizeof sizes / sizeof sizes[0] };
    uint64_t size = 0;
    for (int i = 0; i < PARTS; i++)
        size += aligned(sizes[i]);
    char *at = memory_map(size);
    if (!at)
        return NULL;
    char *parts[PARTS];
    for (int i = 0; i < PARTS; i++) {
        parts[i] = at;
        at += aligned(sizes[i]);
    }
    struct engine_thread *thread = (struct engine_thread *)parts[0];
    thread->engine = engine;
    thread->size = size;
    thread->speculations = (struct thread_speculation *)parts[1];
    thread->candidates = (struct ready *)parts[2];
    thread->scalars[SCOPE_GLOBAL] = engine->arena->globals;
    thread->scalars[SCOPE_THREAD] = parts[3];
    thread->scalars[SCOPE_CLAUSE] = parts[4];
    thread->numbers = (struct store_numbers *)parts[5];
    for (uint32_t i = 0; i < engine->numbers_count; i++)
        thread->numbers[i].numbers = (int64_t *)parts[6] + (uint64_t)i * STORE_NUMBERS;
    for (uint32_t i = 0; i < program_count(program, SECTION_VARIABLES); i++)
        if (engine->numbers_of[i] != STORE_NO_NUMBERS)
            thread->numbers[engine->numbers_of[i]].variable = i;
    thread->one = 1;
    thread->strtok_text = (struct text *)parts[8];
    thread->strtok_at = UINT32_MAX;
    thread->scratch = parts[9];
    thread->string_first = parts[10];
    thread->string_end = parts[10] + strings;
    thread->stack_first = parts[11];
    thread->stack_end = parts[11] + STACKS_SIZE;
    thread->ticks.counter = engine->ticks_usable;
    thread->serial = engine->serial;
    thread->header = engine->arena->header;
    thread->origin.pid = engine->host.pid;
    thread->slot_index = slot;
    thread->slot = slot == UINT32_MAX ? NULL : arena_slot(engine->arena, slot);
    store_open(&thread->store, &engine->budget);
    if (slot == UINT32_MAX) { /* the first; in all others they lie the same way */
        engine->scalars_at[SCOPE_THREAD] = (uint64_t)(parts[3] - parts[0]);
        engine->scalars_at[SCOPE_CLAUSE] = (uint64_t)(parts[4] - parts[0]);
        engine->numbers_at = (uint64_t)(parts[5] - parts[0]);
        engine->known_at = (uint64_t)(parts[7] - parts[0]);
    }
    return thread;
}

/* One that a former thread left. */
static struct engine_thread *take_parked(struct engine *engine) {
    struct engine_thread *thread = __atomic_load_n(&engine->threads, __ATOMIC_ACQUIRE);
    for (; thread; thread = thread->next) {
        uint32_t taken = 0;
        if (!__atomic_load_n(&thread->taken, __ATOMIC_RELAXED) &&
            __atomic_compare_exchange_n(&thread->taken, &taken, 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
            return thread;
    }
    return NULL;
}

static struct engine_thread *make_with_slot(struct engine *engine) {
    uint32_t slot = arena_take_slot(engine->arena, engine->host.pid);
    if (slot == UINT32_MAX)
        return NULL;
    struct engine_thread *thread = thread_make(engine, slot);
    if (!thread) {
        arena_free_slot(engine->arena, slot);
        return NULL;
    }
    thread->taken = 1;
    thread->next = __atomic_load_n(&engine->threads, __ATOMIC_RELAXED);
    while (!__atomic_compare_exchange_n(&engine->threads, &thread->next, thread, true, __ATOMIC_RELEASE,
                                        __ATOMIC_RELAXED))
        continue;
    return thread;
}

struct engine_thread *engine_thread_enter(struct engine *engine, uint32_t tid) {
    int saved = errno;
    struct engine_thread *thread = take_parked(engine);
    if (!thread)
        thread = make_with_slot(engine);
    if (thread) {
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        thread->tid = tid;
        thread->random = ((uint64_t)tid << 32 ^ (uint64_t)now.tv_nsec * 0x9e3779b97f4a7c15ULL) | 1;
        thread->strtok_at = UINT32_MAX;
        variables_reset(thread);
        __atomic_store_n(&thread->slot->tid, tid, __ATOMIC_RELEASE);
    }
    errno = saved;
    return thread;
}

void engine_thread_leave(struct engine_thread *thread) {
    int saved = errno;
    store_clear(&thread->store);
    for (uint32_t i = 0; i < thread->engine->numbers_count; i++)
        store_clear_numbers(&thread->numbers[i]);
    __atomic_store_n(&thread->slot->tid, 0, __ATOMIC_RELEASE);
    __atomic_store_n(&thread->taken, 0, __ATOMIC_RELEASE);
    errno = saved;
}

void engine_thread_act_for(struct engine_thread *thread, uint32_t tid) {
    thread->tid = tid;
}

/* ---- What a clause can ask ---- */

static uint64_t clock_now(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

void thread_drop(struct engine_thread *thread, enum drop cause) {
    if (thread->slot)
        __atomic_store_n(&thread->slot->drops[cause], thread->slot->drops[cause] + 1, __ATOMIC_RELAXED);
}

static struct value folder(struct engine_thread *thread, const char *link) {
    enum { SIZE = 4096 };
    char *path = thread_string(thread, SIZE);
    ssize_t length = path ? readlink(link, path, SIZE - 1) : -1;
    return length < 0 ? value_of_bytes("<unknown>", 9) : value_of_bytes(path, (size_t)length);
}

/* The words of the command line, with blanks between them. */
static struct value command_line(struct engine_thread *thread) {
    char *text = thread_string(thread, thread->engine->strsize);
    int file = text ? open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC) : -1;
    ssize_t length = file < 0 ? 0 : read(file, text, thread->engine->strsize - 1);
    if (file >= 0)
        close(file);
    if (length <= 0)
        return value_of_bytes("", 0);
    while (length > 0 && text[length - 1] == '\0')
        length--;
    for (ssize_t i = 0; i < length; i++)
        if (text[i] == '\0')
            text[i] = ' ';
    return value_of_bytes(text, (size_t)length);
}

static uint32_t stackdepth(const struct engine_thread *thread) {
    const struct engine_host *host = &thread->engine->host;
    return host->stackdepth ? host->stackdepth() : 0;
}

struct value thread_builtin(struct engine_thread *thread, enum builtin builtin) {
    const struct engine *engine = thread->engine;
    const struct engine_event *event = thread->event;
    switch (builtin) {
    case BUILTIN_ARG0:
    case BUILTIN_ARG1:
    case BUILTIN_ARG2:
    case BUILTIN_ARG3:
    case BUILTIN_ARG4:
    case BUILTIN_ARG5:
    case BUILTIN_ARG6:
    case BUILTIN_ARG7:
    case BUILTIN_ARG8:
    case BUILTIN_ARG9:
        return value_of_integer((int64_t)event->arguments[builtin - BUILTIN_ARG0]);
    case BUILTIN_CPU:
        return value_of_integer(engine_cpu());
    case BUILTIN_CWD:
        return folder(thread, "/proc/self/cwd");
    case BUILTIN_ROOT:
        return folder(thread, "/proc/self/root");
    case BUILTIN_EPID:
        return value_of_integer((int64_t)((uint64_t)thread->probe->id << 32 | thread->ready->clause));
    case BUILTIN_ERRNO:
        return value_of_integer(thread->saved_errno);
    case BUILTIN_EXECARGS:
        return command_line(thread);
    case BUILTIN_EXECNAME:
        return value_of_text(engine->execname);
    case BUILTIN_GID:
        return value_of_integer((int64_t)getgid());
    case BUILTIN_ID:
        return value_of_integer(thread->probe->id);
    case BUILTIN_PID:
        return value_of_integer(engine->host.pid);
    case BUILTIN_PPID:
        return value_of_integer(getppid());
    case BUILTIN_PROBEFUNC:
        return verdict_function(thread->code, event);
    case BUILTIN_PROBEMOD:
        return verdict_module(thread->code, event);
    case BUILTIN_PROBENAME:
        return value_of_text(thread->probe->name);
    case BUILTIN_PROBEPROV:
        return value_of_text(thread->probe->provider);
    case BUILTIN_STACKDEPTH:
        return value_of_integer(stackdepth(thread));
    case BUILTIN_USTACKDEPTH: {
        /* Where there is no Python stack there is still one frame, as DTrace counts. */
        uint32_t depth = stackdepth(thread);
        return value_of_integer(depth ? depth : 1);
    }
    case BUILTIN_TID:
        return value_of_integer(thread->tid);
    case BUILTIN_TIMESTAMP:
        return value_of_integer((int64_t)thread_now(thread));
    case BUILTIN_UID:
        return value_of_integer((int64_t)getuid()); /* asked each time: servers give up their user */
    case BUILTIN_VTIMESTAMP:
        return value_of_integer((int64_t)clock_now(CLOCK_THREAD_CPUTIME_ID));
    case BUILTIN_WALLTIMESTAMP:
        return value_of_integer((int64_t)clock_now(CLOCK_REALTIME));
    case BUILTIN_CALLER:
    case BUILTIN_UCALLER:
    case BUILTIN_IPL:
    case BUILTIN_COUNT:
        break;
    }
    return value_of_integer(0);
}

/* ---- Firing ---- */

static void run_errors(struct engine_thread *thread, const struct program_instruction *at);

/* What a clause that is not plain needs beforehand. */
static inline ALWAYS_INLINE void make_ready(struct engine_thread *thread) {
    thread->string_at = thread->string_first;
    thread->stack_at = thread->stack_first;
    thread->scratch_used = 0;
    thread->skipped = false;
    thread->record.at = NULL;
}

static inline ALWAYS_INLINE void run_clause(struct engine_thread *thread, const struct ready *ready) {
    const struct program_instruction *at;
    make_ready(thread);
    if (ready->plan) {
        quick_run(thread, ready, ready + 1, thread->probe->activity);
    } else {
        thread->ready = ready;
        if (!LIKELY(vm_run(thread, ready->code, &at)))
            clause_failed(thread, ready, at);
        else if ((ready->flags & CLAUSE_RECORDS) && !thread->skipped)
            record_commit(thread);
    }
    if (thread->speculation || thread->commit_count)
        speculation_leave(thread);
}

void clause_failed(struct engine_thread *thread, const struct ready *ready,
                   const struct program_instruction *at) {
    bool was_firing = thread->firing;
    int program_errno = errno;
    if (!was_firing) /* a plain clause */
        thread->saved_errno = program_errno;
    thread->firing = true;
    thread->record.at = NULL;
    speculation_leave(thread);
    run_errors(thread, plan_instruction(thread->engine, ready, at));
    thread->firing = was_firing;
    errno = program_errno;
}

/* Records a fault and runs the clauses of the ERROR probe; what fails in those is lost. In a clause of BEGIN
   they run at once, but what they record comes behind what BEGIN records: so it is read by DTrace's consumer.
 */
static __attribute__((noinline)) void run_errors(struct engine_thread *thread,
                                                 const struct program_instruction *at) {
    struct engine *engine = thread->engine;
    const struct probe_info *failed = thread->probe;
    const struct engine_event *event = thread->event;
    const struct engine_code *code = thread->code;
    const struct ready *ready = thread->ready;
    if (thread->in_error)
        return;
    record_fault(thread, (uint32_t)(at - engine->instructions));
    const uint64_t arguments[10] = {0,
                                    failed->id,
                                    ready->clause,
                                    (uint64_t)(at - plan_start(engine, ready)),
                                    thread->fault,
                                    thread->fault_value};
    const struct engine_event error = {.probe = engine->host.probe_count, .arguments = arguments};
    thread->in_error = true;
    thread->probe = &engine->probes[engine->host.probe_count];
    thread->event = &error;
    thread->code = NULL;
    if (failed->is_begin && !thread->deferred)
        thread->deferred = memory_map(DEFERRED_SIZE);
    thread->deferring = failed->is_begin && thread->deferred;
    const struct ready_list *list = thread->probe->list;
    for (uint32_t i = 0; i < list->count; i++)
        run_clause(thread, &list->items[i]);
    thread->deferring = false;
    thread->in_error = false;
    thread->probe = failed;
    thread->event = event;
    thread->code = code;
    thread->ready = ready;
}

static inline ALWAYS_INLINE void run_all(struct engine_thread *thread, const struct ready *ready,
                                         uint32_t count) {
    const struct arena_header *header = thread->engine->arena->header;
    uint32_t activity = thread->probe->activity;
    for (uint32_t i = 0; i < count; i++) {
        /* Once a clause has called exit(), the others do not run. */
        if (__atomic_load_n(&header->activity, __ATOMIC_RELAXED) != activity)
            break;
        run_clause(thread, &ready[i]);
    }
    if (UNLIKELY(thread->deferred_used))
        record_flush_deferred(thread);
}

/* Nothing can be said beforehand about which clauses run: they are looked for now. */
static __attribute__((noinline)) void fire_undecided(struct engine_thread *thread) {
    uint32_t count = verdict_candidates(thread->engine, thread->probe, thread->event, thread->candidates);
    run_all(thread, thread->candidates, count);
}

static inline ALWAYS_INLINE void set_firing(struct engine_thread *thread, const struct engine_event *event,
                                            const struct probe_info *probe, const struct engine_code *code) {
    thread->event = event;
    thread->probe = probe;
    thread->code = code;
    thread->timestamp = 0;
}

/* The other ways: one whose time is taken, one that is not decided, or that needs more than a plain one. */
static __attribute__((noinline)) void fire_apart(struct engine_thread *thread,
                                                 const struct ready_list *list) {
    if (list && !list->count)
        return;
    bool sampled = thread->firings % SPENT_SAMPLE == 0;
    int *program_errno = &errno;
    thread->firing = true;
    thread->saved_errno = *program_errno;
    if (sampled)
        thread_now(thread);
    if (list)
        run_all(thread, list->items, list->count);
    else
        fire_undecided(thread);
    if (sampled)
        thread->spent += (ticks_now(&thread->ticks) - thread->timestamp) * SPENT_SAMPLE;
    *program_errno = thread->saved_errno;
    thread->firing = false;
}

void run_apart(struct engine_thread *thread, const struct ready_list *list) {
    fire_apart(thread, list);
}

/* Not decided yet for this code object, if it has one. */
static __attribute__((noinline)) void fire_new(struct engine_thread *thread,
                                               const struct engine_event *event) {
    const struct probe_info *probe = &thread->engine->probes[event->probe];
    const struct engine_code *code = NULL;
    const struct ready_list *list = probe->list;
    if (event->code_id && probe->has_code)
        list = verdict_decide(thread->engine, event, &code);
    if (thread->firing)
        return;
    set_firing(thread, event, probe, code);
    fire_apart(thread, list);
}

/* What is found is the same for each thread of an engine: who comes second need not write it. */
static void keep_found(struct engine_found *found, uint64_t serial, const struct ready_list *list,
                       const struct engine_code *code) {
    const uint64_t busy = UINT64_MAX;
    uint64_t before = __atomic_load_n(&found->serial, __ATOMIC_RELAXED);
    if (before == busy || !__atomic_compare_exchange_n(&found->serial, &before, busy, false, __ATOMIC_ACQUIRE,
                                                       __ATOMIC_RELAXED))
        return;
    __atomic_thread_fence(__ATOMIC_RELEASE);
    __atomic_store_n(&found->list, list, __ATOMIC_RELAXED);
    __atomic_store_n(&found->code, code, __ATOMIC_RELAXED);
    __atomic_store_n(&found->serial, serial, __ATOMIC_RELEASE);
}

/* Clauses that are plain call nobody: errno stays, and no event can come from within. */
void engine_fire(struct engine_thread *thread, struct engine_event *event) {
    uint64_t firings = ++thread->firings, serial = __atomic_load_n(&event->found.serial, __ATOMIC_ACQUIRE);
    const struct ready_list *list = __atomic_load_n(&event->found.list, __ATOMIC_RELAXED);
    const struct engine_code *code = __atomic_load_n(&event->found.code, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    if (UNLIKELY(serial != thread->serial ||
                 __atomic_load_n(&event->found.serial, __ATOMIC_RELAXED) != serial)) {
        code = verdict_code(thread->engine, event->code_id); /* of 0 there is none */
        list = code ? __atomic_load_n(&code->lists[event->probe], __ATOMIC_ACQUIRE) : NULL;
        if (UNLIKELY(!list)) {
            fire_new(thread, event);
            return;
        }
        keep_found(&event->found, thread->serial, list, code);
    }
    if (UNLIKELY(thread->firing))
        return;
    set_firing(thread, event, list->probe, code);
    if (LIKELY(firings % SPENT_SAMPLE != 0))
        list->run(thread, list);
    else
        fire_apart(thread, list);
}

uint64_t engine_firings(const struct engine *engine) {
    uint64_t sum = 0;
    const struct engine_thread *thread = __atomic_load_n(&engine->threads, __ATOMIC_ACQUIRE);
    for (; thread; thread = thread->next)
        sum += __atomic_load_n(&thread->firings, __ATOMIC_RELAXED);
    return sum;
}

uint64_t engine_spent(const struct engine *engine) {
    uint64_t sum = 0;
    const struct engine_thread *thread = __atomic_load_n(&engine->threads, __ATOMIC_ACQUIRE);
    for (; thread; thread = thread->next)
        sum += __atomic_load_n(&thread->spent, __ATOMIC_RELAXED);
    return sum;
}

void engine_drop(struct engine *engine, enum drop cause) {
    __atomic_fetch_add(&engine->arena->drops[cause], 1, __ATOMIC_RELAXED);
}

uint64_t engine_wants(const struct engine *engine) {
    return engine->wants;
}

uint64_t engine_selective(const struct engine *engine) {
    return engine->selective;
}

const char *engine_fault_name(enum fault fault) {
    static const char *const names[FAULT_COUNT] = {
#define FAULT(name, words) words,
        PROGRAM_FAULTS(FAULT)
#undef FAULT
    };
    return (unsigned)fault < FAULT_COUNT ? names[fault] : names[FAULT_UNKNOWN];
}
