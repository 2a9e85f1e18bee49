/*
 * sampler.c: see sampler.h. Viewers and clocks come and go while the thread does not run: it is ended, which
 * takes some ten microseconds, and made anew.
 */
#include "hooks/compat.h"

#include "sampler.h"

#include "codes.h"
#include "copy.h"
#include "engine/memory.h"
#include "locals.h"
#include "natives.h"
#include "stacks.h"
#include "tables.h"
#include "tasks.h"
#include "threads.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#if defined __linux__
#    include <linux/futex.h>
#    include <sys/prctl.h>
#    include <sys/syscall.h>
#endif

enum {
    STACK_SIZE = 256 * 1024,
    COPIES_SIZE = 2 * 1024 * 1024, /* address space, touched as deep stacks need it */
};

/* The last sample of a thread, for a viewer: if the thread has not run since, its stack is the same. */
struct seen {
    uint32_t serial; /* of the thread, 0: none */
    uint32_t thread; /* its number in the tables */
    uint32_t node;
    bool native; /* it is in a C function */
    bool stale;  /* it has run, and was not sampled */
};

struct viewer {
    struct tables *tables; /* NULL: this place is free */
    struct sampler_request request;
    uint64_t begins; /* ns, monotonic: the period that the next tick is in */
    uint64_t due;    /* the next tick: at a random moment of its period */
    uint64_t random; /* the state of that */
    uint64_t ticks, missed, torn, retried, lost;
    uint64_t timed; /* ns, monotonic: when CPU times were published last */
    bool finished;
    struct seen *seen; /* by the thread's place: THREADS_MAX */
};

/* The clocks of a D session. */
struct clocks {
    struct sampler_clocks request; /* no count: this place is free */
    uint64_t due[SAMPLER_CLOCKS_MAX];
};

static struct {
    struct viewer viewers[SAMPLER_VIEWERS_MAX];
    struct clocks clocks[SAMPLER_SESSIONS_MAX];
    bool running;
    int stop; /* a futex */
    pthread_t thread;
    pid_t task;
    bool own_descriptors;
    uint64_t ticks; /* of all viewers and clocks */
    uint64_t spent; /* ns of CPU time, by threads that have ended */
} sampler;

static uint64_t now(clockid_t clock) {
    struct timespec time;
    clock_gettime(clock, &time);
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

static bool told_to_stop(void) {
    return __atomic_load_n(&sampler.stop, __ATOMIC_ACQUIRE) != 0;
}

/* ---- One sample ---- */

static struct stack stack; /* one thread; large for its stack */

static uint32_t thread_number(struct viewer *viewer, struct seen *seen, const struct thread *thread) {
    if (seen->serial == thread->serial && seen->thread != TABLES_FULL)
        return seen->thread;
    struct samples_thread described = thread->described;
    described.name = tables_string(viewer->tables, thread->name);
    if (described.name == TABLES_FULL)
        described.name = 0;
    *seen = (struct seen){.serial = thread->serial, .stale = true};
    seen->thread = tables_thread(viewer->tables, &described);
    return seen->thread;
}

static uint32_t frame_number(struct copier *copier, struct viewer *viewer, const struct stack_frame *frame) {
    char note[TASK_NOTE_SIZE];
    if (frame->code)
        return tables_frame(viewer->tables, frame->code, frame->instruction);
    tasks_note(copier, frame, note);
    return tables_other_frame(viewer->tables, note, FRAME_NOTE);
}

/* The node of the stack that was taken. */
static uint32_t node_of_stack(struct copier *copier, struct viewer *viewer) {
    uint32_t node = SAMPLES_NO_NODE;
    if (stack.cut) {
        uint32_t frame = tables_other_frame(viewer->tables, "<more frames>", FRAME_NOTE);
        node = frame == TABLES_FULL ? TABLES_FULL : tables_node(viewer->tables, node, frame);
    }
    for (int i = stack.count - 1; i >= 0 && node != TABLES_FULL; i--) {
        uint32_t frame = frame_number(copier, viewer, &stack.frames[i]);
        node = frame == TABLES_FULL ? TABLES_FULL : tables_node(viewer->tables, node, frame);
    }
    return node;
}

/* The C function that the stack that was taken ends in, if there is one, becomes its leaf. */
static uint32_t add_native(struct copier *copier, struct viewer *viewer, uint32_t node, bool *native) {
    const void *head;
    uintptr_t callable = stacks_callable(copier, &stack, &head);
    const char *name = natives_name(copier, callable, head);
    *native = name != NULL;
    if (!name)
        return node;
    uint32_t frame = tables_other_frame(viewer->tables, name, FRAME_NATIVE);
    return frame == TABLES_FULL ? TABLES_FULL : tables_node(viewer->tables, node, frame);
}

/* Of the stack that was taken. Returns a sample's `locals`. */
static uint32_t take_locals(struct copier *copier, struct viewer *viewer) {
    size_t room;
    char *to = tables_locals_room(viewer->tables, &room);
    return tables_take_locals(viewer->tables, locals_write(copier, &stack, to, room));
}

/* False: there is nothing to show of this thread now. */
static bool sample_thread(struct copier *copier, struct viewer *viewer, struct seen *seen,
                          struct thread *thread, struct sample *sample) {
    uint32_t number = thread_number(viewer, seen, thread);
    if (number == TABLES_FULL) {
        viewer->lost++;
        return false;
    }
    bool locals = (viewer->request.flags & SAMPLES_LOCALS) != 0;
    if (thread->changed || seen->stale || locals) {
        if (!stacks_take(copier, thread->tstate, thread->interp, &thread->trail, sampler.ticks, &stack)) {
            viewer->torn++;
            seen->stale = true;
            return false;
        }
        viewer->retried += (uint64_t)stack.attempts - 1;
        seen->node = node_of_stack(copier, viewer);
        seen->native = false;
        if (seen->node != TABLES_FULL && (viewer->request.flags & SAMPLES_NATIVE))
            seen->node = add_native(copier, viewer, seen->node, &seen->native);
        seen->stale = seen->node == TABLES_FULL;
        if (seen->stale) {
            viewer->lost++;
            return false;
        }
    }
    sample->thread = number;
    sample->node = seen->node;
    sample->locals = locals ? take_locals(copier, viewer) : 0;
    sample->state |= thread->state | (seen->native ? SAMPLE_IN_NATIVE : 0);
    return sample->node != SAMPLES_NO_NODE;
}

/* TASK_GONE: there is nothing to show of this task. */
static enum task_taken sample_task(struct copier *copier, struct viewer *viewer,
                                   struct thread *const *threads, size_t index, struct sample *sample) {
    struct task task;
    enum task_taken taken = tasks_take(copier, index, sampler.ticks, &task, &stack);
    if (taken != TASK_TAKEN)
        return taken;
    struct samples_thread described = {
        .ident = task.address,
        .name = tables_string(viewer->tables, task.name),
        .interpreter = task.interpreter,
        .kind = SAMPLES_TASK,
        .parent = SAMPLES_NO_THREAD,
    };
    if (described.name == TABLES_FULL)
        described.name = 0;
    if (task.thread != TASK_NO_THREAD) {
        const struct thread *thread = threads[task.thread];
        described.parent = thread_number(viewer, &viewer->seen[threads_place(thread)], thread);
    }
    sample->thread = tables_thread(viewer->tables, &described);
    sample->node = node_of_stack(copier, viewer);
    if (sample->thread == TABLES_FULL || sample->node == TABLES_FULL) {
        viewer->lost++;
        return TASK_GONE;
    }
    sample->locals = viewer->request.flags & SAMPLES_LOCALS ? take_locals(copier, viewer) : 0;
    return TASK_TAKEN;
}

/* ---- One tick ---- */

/* CPU times cost a microsecond each, and more in a process of many threads. */
static void publish_times(struct viewer *viewer, struct samples_header *header) {
    enum { PAUSE = 20 * 1000 * 1000 }; /* ns */
    if (viewer->due < viewer->timed + PAUSE && !viewer->finished)
        return;
    viewer->timed = viewer->due;
    __atomic_store_n(&header->spent, sampler.spent + now(CLOCK_THREAD_CPUTIME_ID), __ATOMIC_RELEASE);
    __atomic_store_n(&header->cpu, now(CLOCK_PROCESS_CPUTIME_ID), __ATOMIC_RELEASE);
}

static void publish(struct viewer *viewer) {
    struct samples_header *header = tables_header(viewer->tables);
    publish_times(viewer, header);
    const struct {
        uint64_t *to, value;
    } all[] = {
        {&header->ticks, viewer->ticks}, {&header->ticks_missed, viewer->missed},
        {&header->torn, viewer->torn},   {&header->retried, viewer->retried},
        {&header->lost, viewer->lost},   {&header->finished, viewer->finished},
    };
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        __atomic_store_n(all[i].to, all[i].value, __ATOMIC_RELEASE);
}

static size_t begin_tick(struct copier *copier, struct thread *const **threads) {
    sampler.ticks++;
    codes_tidy();
    return threads_find(copier, threads);
}

/* Does it count now? */
static bool look(struct thread *thread, bool idle) {
    threads_look(thread);
    for (int i = 0; i < SAMPLER_VIEWERS_MAX; i++) /* each viewer's picture of it is old now */
        if (sampler.viewers[i].tables && thread->changed)
            sampler.viewers[i].seen[threads_place(thread)].stale = true;
    return idle || (thread->state & SAMPLE_ON_CPU);
}

/* The tasks of these threads, behind them. Those that a busy loop runs are tried again a few times. */
static void tick_tasks(struct copier *copier, struct viewer *viewer, struct thread *const *threads,
                       size_t count, struct sample sample) {
    enum { ROUNDS = 8, PAUSE = 250000 /* ns */ };
    static uint16_t left[TASKS_MAX];
    size_t tasks = tasks_find(copier, threads, count);
    for (size_t i = 0; i < tasks; i++)
        left[i] = (uint16_t)i;
    for (int round = 0; round < ROUNDS && tasks; round++) {
        size_t again = 0;
        if (round)
            clock_nanosleep(CLOCK_MONOTONIC, 0, &(struct timespec){.tv_nsec = PAUSE}, NULL);
        for (size_t i = 0; i < tasks && !told_to_stop(); i++) {
            enum task_taken taken = sample_task(copier, viewer, threads, left[i], &sample);
            if (taken == TASK_CHANGES)
                left[again++] = left[i];
            if (taken != TASK_TAKEN)
                continue;
            if (!tables_put(viewer->tables, &sample))
                viewer->lost++;
            sample.state = 0;
        }
        tasks = again;
    }
    tasks_release();
}

static void tick(struct copier *copier, struct viewer *viewer) {
    struct thread *const *threads;
    struct sample sample = {.time = viewer->begins, .state = SAMPLE_FIRST};
    size_t count = begin_tick(copier, &threads);
    for (size_t i = 0; i < count; i++) {
        struct seen *seen = &viewer->seen[threads_place(threads[i])];
        if (!look(threads[i], (viewer->request.flags & SAMPLES_IDLE) != 0))
            continue;
        if (!sample_thread(copier, viewer, seen, threads[i], &sample))
            continue;
        if (!tables_put(viewer->tables, &sample))
            viewer->lost++;
        sample.state = 0;
    }
    if (viewer->request.flags & SAMPLES_TASKS)
        tick_tasks(copier, viewer, threads, count, sample);
    viewer->ticks++;
    viewer->finished = viewer->request.ticks && viewer->ticks >= viewer->request.ticks;
}

/* ---- A tick of a clock ---- */

/* The thread that a clock fires for just now; its stack is taken when it is asked for. */
static struct {
    struct copier *copier;
    struct thread *thread;
    bool taken, torn;
} sampled;

static bool take_sampled(void) {
    if (!sampled.taken)
        sampled.torn = !stacks_take(sampled.copier, sampled.thread->tstate, sampled.thread->interp,
                                    &sampled.thread->trail, sampler.ticks, &stack);
    sampled.taken = true;
    return !sampled.torn;
}

uint32_t sampler_stackdepth(void) {
    return take_sampled() ? (uint32_t)stack.count : 0;
}

size_t sampler_stack(char *text, size_t n, uint32_t frames) {
    size_t length = 0;
    if (!n)
        return 0;
    text[0] = '\0';
    if (!take_sampled())
        return 0;
    for (int i = 0; i < stack.count && (uint32_t)i < frames && length + 1 < n; i++) {
        const struct stack_frame *frame = &stack.frames[i];
        int more = snprintf(text + length, n - length, "%s%s (%s:%lu)", i ? "\n" : "", frame->code->function,
                            frame->code->file, (unsigned long)codes_line(frame->code, frame->instruction));
        length += more > 0 ? (size_t)more : 0;
    }
    return length < n ? length : n - 1;
}

static void fire_clock(struct copier *copier, int session, uint32_t clock) {
    const struct sampler_clocks *request = &sampler.clocks[session].request;
    struct thread *const *threads;
    size_t count = begin_tick(copier, &threads);
    for (size_t i = 0; i < count && !told_to_stop(); i++) {
        if (!look(threads[i], request->idle))
            continue;
        sampled.copier = copier;
        sampled.thread = threads[i];
        sampled.taken = false;
        request->fire(session, clock, threads[i]->described.tid);
    }
}

/* ---- Whose turn it is ---- */

/* When the next tick is. Returns how many were missed. */
static uint64_t schedule(uint64_t *due, uint64_t period) {
    uint64_t time = now(CLOCK_MONOTONIC);
    *due += period;
    uint64_t missed = *due < time ? (time - *due) / period : 0;
    *due += missed * period;
    return missed;
}

/* A program that does something in step with the ticks would be met at the same place by each of them. So
   each comes at another moment of its period, all equally likely, and there is still one in each. */
static uint64_t random_moment(struct viewer *viewer) {
    viewer->random ^= viewer->random << 13; /* Marsaglia's xorshift, never 0 */
    viewer->random ^= viewer->random >> 7;
    viewer->random ^= viewer->random << 17;
    return viewer->random % viewer->request.period;
}

static void schedule_tick(struct viewer *viewer) {
    viewer->missed += schedule(&viewer->begins, viewer->request.period);
    viewer->due = viewer->begins + random_moment(viewer);
}

/* What is due next: a viewer, or a clock of a session. */
struct turn {
    uint64_t due; /* UINT64_MAX: nothing */
    struct viewer *viewer;
    int session;
    uint32_t clock;
};

static struct turn next_turn(void) {
    struct turn next = {.due = UINT64_MAX};
    for (int i = 0; i < SAMPLER_VIEWERS_MAX; i++) {
        struct viewer *viewer = &sampler.viewers[i];
        if (viewer->tables && !viewer->finished && viewer->due < next.due)
            next = (struct turn){.due = viewer->due, .viewer = viewer};
    }
    for (int i = 0; i < SAMPLER_SESSIONS_MAX; i++)
        for (uint32_t k = 0; k < sampler.clocks[i].request.count; k++)
            if (sampler.clocks[i].due[k] < next.due)
                next = (struct turn){.due = sampler.clocks[i].due[k], .session = i, .clock = k};
    return next;
}

static void serve_turn(struct copier *copier, const struct turn *turn) {
    if (turn->viewer) {
        tick(copier, turn->viewer);
        publish(turn->viewer);
        schedule_tick(turn->viewer);
    } else {
        struct clocks *clocks = &sampler.clocks[turn->session];
        fire_clock(copier, turn->session, turn->clock);
        schedule(&clocks->due[turn->clock], clocks->request.periods[turn->clock]);
    }
}

/* Until a time of CLOCK_MONOTONIC, or until told to stop. */
static void sleep_until(uint64_t due) {
#if defined __linux__
    struct timespec time = {.tv_sec = (time_t)(due / 1000000000), .tv_nsec = (long)(due % 1000000000)};
    while (!told_to_stop() && now(CLOCK_MONOTONIC) < due)
        syscall(SYS_futex, &sampler.stop, FUTEX_WAIT_BITSET_PRIVATE, 0, due == UINT64_MAX ? NULL : &time,
                NULL, FUTEX_BITSET_MATCH_ANY);
#else
    (void)due;
#endif
}

static void serve(struct copier *copier) {
    while (!told_to_stop()) {
        struct turn turn = next_turn();
        sleep_until(turn.due);
        if (turn.due != UINT64_MAX && !told_to_stop())
            serve_turn(copier, &turn);
    }
}

static void *sampler_main(void *unused) {
    (void)unused;
    struct copier copier;
#if defined __linux__
    sampler.task = (pid_t)syscall(SYS_gettid);
    prctl(PR_SET_NAME, "catprobe");
    prctl(PR_SET_TIMERSLACK, 1);
#endif
    if (copier_open(&copier, COPIES_SIZE, sampler.own_descriptors)) {
        if (codes_open() && threads_open(sampler.own_descriptors))
            serve(&copier);
        threads_close();
        copier_close(&copier);
    }
    sampler.spent += now(CLOCK_THREAD_CPUTIME_ID);
    return NULL;
}

/* ---- Coming and going ---- */

/* What was known of threads is forgotten with the thread that knew it. */
static void forget_seen(void) {
    for (int i = 0; i < SAMPLER_VIEWERS_MAX; i++)
        if (sampler.viewers[i].tables)
            memset(sampler.viewers[i].seen, 0, THREADS_MAX * sizeof(struct seen));
}

static int start(bool own_descriptors) {
    pthread_attr_t attributes;
    sigset_t all, before;
    sampler.stop = 0;
    sampler.own_descriptors = own_descriptors;
    forget_seen();
    if (pthread_attr_init(&attributes) != 0)
        return ENOMEM;
    pthread_attr_setstacksize(&attributes, STACK_SIZE);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&sampler.thread, &attributes, sampler_main, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    sampler.running = error == 0;
    return error;
}

void sampler_pause(void) {
    if (!sampler.running)
        return;
    __atomic_store_n(&sampler.stop, 1, __ATOMIC_RELEASE);
#if defined __linux__
    syscall(SYS_futex, &sampler.stop, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
#endif
    pthread_join(sampler.thread, NULL);
#if defined __linux__
    enum { TRIES = 200 }; /* Linux counts a thread for a moment after its end, and os.fork() looks */
    for (int i = 0; i < TRIES && syscall(SYS_tgkill, getpid(), sampler.task, 0) == 0; i++)
        nanosleep(&(struct timespec){.tv_nsec = 50 * 1000}, NULL);
#endif
    sampler.running = false;
}

static bool is_wanted(void) {
    for (int i = 0; i < SAMPLER_VIEWERS_MAX; i++)
        if (sampler.viewers[i].tables)
            return true;
    for (int i = 0; i < SAMPLER_SESSIONS_MAX; i++)
        if (sampler.clocks[i].request.count)
            return true;
    return false;
}

void sampler_resume(bool own_descriptors) {
    if (!sampler.running && is_wanted())
        (void)start(own_descriptors);
}

static void free_viewer(struct viewer *viewer) {
    memory_unmap(viewer->seen, THREADS_MAX * sizeof *viewer->seen);
    if (viewer->tables)
        tables_close(viewer->tables);
    *viewer = (struct viewer){0};
}

static const char no_thread[] = "no thread could be made: %s; raise ulimit -u or pids.max";

int sampler_add(int fd, const struct sampler_request *request, bool own_descriptors, char *problem,
                size_t n) {
#if !defined __linux__
    snprintf(problem, n, "sample: only Linux has what it takes to copy stacks without a stop");
    return -1;
#endif
    int place = 0;
    while (place < SAMPLER_VIEWERS_MAX && sampler.viewers[place].tables)
        place++;
    if (place == SAMPLER_VIEWERS_MAX) {
        snprintf(problem, n, "sample: it is sampled by %d viewers already, the most there can be", place);
        return -1;
    }
    struct viewer *viewer = &sampler.viewers[place];
    sampler_pause();
    *viewer = (struct viewer){
        .tables = tables_open(fd, problem, n),
        .request = *request,
        .begins = now(CLOCK_MONOTONIC),
        .random = (now(CLOCK_MONOTONIC) * UINT64_C(0x9E3779B97F4A7C15)) | 1,
    };
    viewer->due = viewer->begins + (request->ticks == 1 ? 0 : random_moment(viewer));
    bool opened = viewer->tables != NULL;
    if (opened && !(viewer->seen = memory_map(THREADS_MAX * sizeof *viewer->seen))) {
        snprintf(problem, n, "sample: there is no memory for its tables");
        opened = false;
    }
    if (!opened)
        free_viewer(viewer);
    int error = is_wanted() ? start(own_descriptors) : 0;
    if (!error)
        return opened ? place : -1;
    if (opened) {
        int length = snprintf(problem, n, "sample: ");
        snprintf(problem + length, n - (size_t)length, no_thread, strerror(error));
        free_viewer(viewer);
    }
    return -1;
}

/* After one has gone. */
static void go_on(void) {
    if (is_wanted())
        (void)start(sampler.own_descriptors);
    else
        codes_close();
}

void sampler_remove(int place) {
    sampler_pause();
    free_viewer(&sampler.viewers[place]);
    go_on();
}

bool sampler_add_clocks(int session, const struct sampler_clocks *clocks, bool own_descriptors, char *problem,
                        size_t n) {
#if !defined __linux__
    snprintf(problem, n, "only Linux has what it takes to copy stacks without a stop");
    return false;
#endif
    uint64_t time = now(CLOCK_MONOTONIC);
    sampler_pause();
    sampler.clocks[session].request = *clocks;
    for (uint32_t i = 0; i < clocks->count; i++)
        sampler.clocks[session].due[i] = time + clocks->periods[i];
    int error = is_wanted() ? start(own_descriptors) : 0;
    if (!error)
        return true;
    snprintf(problem, n, no_thread, strerror(error));
    sampler.clocks[session] = (struct clocks){0};
    return false;
}

void sampler_remove_clocks(int session) {
    if (!sampler.clocks[session].request.count)
        return;
    sampler_pause();
    sampler.clocks[session] = (struct clocks){0};
    go_on();
}

void sampler_after_fork_in_child(void) {
    memset(sampler.viewers, 0, sizeof sampler.viewers); /* a child has none of that memory */
    memset(sampler.clocks, 0, sizeof sampler.clocks);
    sampler.running = false;
    codes_forget();
}
