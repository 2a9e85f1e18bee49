/*
 * threads.c: see threads.h. The lists change under a lock that is not waited for: those that were known are
 * copied by one system call, new ones read one by one, and a thread state that does not name its interpreter
 * ends the walk.
 */
#ifndef _GNU_SOURCE
#    define _GNU_SOURCE
#endif
#include "threads.h"

#include "engine/memory.h"
#include "names.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum {
    INTERPRETERS_MAX = 64,
    STATUS_FILES_MAX = 512, /* that are kept open */
};

enum { INTERPRETER_NEXT, INTERPRETER_THREADS, INTERPRETER_ID, INTERPRETER_GIL, INTERPRETER_WORDS };

static const long interpreter_fields[INTERPRETER_WORDS] = {
    [INTERPRETER_NEXT] = (long)COMPAT_INTERPRETER_NEXT,
    [INTERPRETER_THREADS] = (long)COMPAT_INTERPRETER_THREADS,
    [INTERPRETER_ID] = COMPAT_INTERPRETER_ID, /* -1: there is no such field */
    [INTERPRETER_GIL] = COMPAT_GIL_FIELD,
};

struct interpreter {
    uintptr_t address, words[INTERPRETER_WORDS];
    int64_t id;
    bool gil_known;
    compat_gil gil;
    size_t copy, gil_copy, copy_end; /* in the copier's memory: its fields, its GIL, the end of both */
};

static struct {
    struct thread *all; /* THREADS_MAX */
    struct thread **found;
    size_t found_count;
    struct interpreter interpreters[INTERPRETERS_MAX];
    int interpreter_count;
    size_t copied; /* bytes of the copier's memory that are good copies, of what was there at the last tick */
    size_t places; /* of `all`, used so far */
    uint64_t round;
    uint32_t serial;
    bool own_descriptors;
    int status_files;
    long tid_offset; /* of the kernel's number in what pthread_self() is the address of; -1: not known */
} threads;

/* ---- The kernel's number of a thread, before 3.11 ---- */

static long find_tid_offset(void) {
#if defined __GLIBC__
    enum { MOST = 2048 };
    const char *self = (const char *)(uintptr_t)pthread_self();
    pid_t tid = (pid_t)syscall(SYS_gettid);
    for (long at = 0; at < MOST; at += (long)sizeof(pid_t))
        if (memcmp(self + at, &tid, sizeof tid) == 0)
            return at;
#endif
    return -1;
}

static clockid_t clock_of(uint32_t tid) {
    return (clockid_t)(~(unsigned)tid << 3 | 6); /* as pthread_getcpuclockid has it on Linux */
}

uint64_t threads_cpu(uint32_t tid) {
    struct timespec time;
    if (!tid || clock_gettime(clock_of(tid), &time) != 0)
        return 0;
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

static uint32_t tid_of(struct copier *copier, const PyThreadState *state) {
    uint32_t tid = compat_copied_native_id(state);
    pid_t found;
    if (tid || threads.tid_offset < 0 || !state->thread_id)
        return tid;
    if (!copier_read(copier, &found, (uintptr_t)state->thread_id + (uintptr_t)threads.tid_offset,
                     sizeof found))
        return 0;
    return found > 0 && threads_cpu((uint32_t)found) ? (uint32_t)found : 0;
}

/* ---- Finding them ---- */

bool threads_open(bool own_descriptors) {
    memset(&threads, 0, sizeof threads);
    threads.all = memory_map(THREADS_MAX * sizeof *threads.all);
    threads.found = memory_map(THREADS_MAX * sizeof *threads.found);
    threads.own_descriptors = own_descriptors;
    threads.tid_offset = find_tid_offset();
    return threads.all && threads.found;
}

static void close_status(struct thread *thread) {
    if (thread->status < 0)
        return;
    close(thread->status);
    thread->status = -1;
    threads.status_files--;
}

void threads_close(void) {
    for (size_t i = 0; threads.all && i < threads.places; i++)
        if (threads.all[i].tstate)
            close_status(&threads.all[i]);
    memory_unmap(threads.all, THREADS_MAX * sizeof *threads.all);
    memory_unmap(threads.found, THREADS_MAX * sizeof *threads.found);
    threads.all = NULL;
    threads.found = NULL;
}

/* Returns how many bytes; none, when it is not all before that could be copied. */
static size_t gather(struct copier *copier, size_t at, struct pieces *pieces) {
    size_t wanted = 0;
    for (int i = 0; i < pieces->count; i++)
        wanted += pieces->pieces[i].iov_len;
    size_t got = at + wanted == pieces->at ? copier_gather(copier, at, pieces->pieces, pieces->count) : 0;
    pieces->count = 0;
    return got;
}

/* Foresees what has been there at the last tick, and copies it. What could not be copied is read one by one.
 */
static void copy_known(struct copier *copier) {
    static struct pieces pieces; /* one thread; large for its stack */
    size_t most = copier->size - COPY_SPARE, copied = 0;
    pieces.count = 0;
    pieces.at = 0;
    for (int i = 0; i < threads.interpreter_count; i++) {
        struct interpreter *interpreter = &threads.interpreters[i];
        interpreter->copy = pieces.at;
        for (int k = 0; k < INTERPRETER_WORDS; k++)
            if (interpreter_fields[k] >= 0)
                pieces_add(&pieces, interpreter->address + (uintptr_t)interpreter_fields[k],
                           sizeof(uintptr_t));
        interpreter->gil_copy = pieces.at;
        if (interpreter->words[INTERPRETER_GIL])
            pieces_add(&pieces, interpreter->words[INTERPRETER_GIL], sizeof(compat_gil));
        interpreter->copy_end = pieces.at;
    }
    for (size_t i = 0; i < threads.found_count; i++) {
        struct thread *thread = threads.found[i];
        if (pieces.count == COPY_PIECES)
            copied += gather(copier, copied, &pieces);
        thread->copy = THREADS_NO_COPY;
        if (pieces.at + sizeof(PyThreadState) <= most)
            thread->copy = pieces_add(&pieces, thread->tstate, sizeof(PyThreadState));
    }
    threads.copied = copied + gather(copier, copied, &pieces);
}
static const struct interpreter *find_known_interpreter(uintptr_t address) {
    for (int i = 0; i < threads.interpreter_count; i++)
        if (threads.interpreters[i].address == address)
            return threads.interpreters[i].copy_end <= threads.copied ? &threads.interpreters[i] : NULL;
    return NULL;
}

static bool read_words(struct copier *copier, const struct interpreter *known,
                       struct interpreter *interpreter) {
    size_t at = known ? known->copy : 0;
    for (int i = 0; i < INTERPRETER_WORDS; i++) {
        uintptr_t *word = &interpreter->words[i];
        if (interpreter_fields[i] < 0)
            continue;
        if (known)
            memcpy(word, copier->memory + at, sizeof *word);
        else if (!copier_read(copier, word, interpreter->address + (uintptr_t)interpreter_fields[i],
                              sizeof *word))
            return false;
        at += sizeof *word;
    }
    return true;
}

/* False: it is no more. */
static bool read_interpreter(struct copier *copier, uintptr_t address, struct interpreter *interpreter) {
    const struct interpreter *known = find_known_interpreter(address);
    *interpreter = (struct interpreter){.address = address, .gil_known = true};
    if (!read_words(copier, known, interpreter))
        return false;
    interpreter->id = (int64_t)interpreter->words[INTERPRETER_ID];
    uintptr_t gil = interpreter->words[INTERPRETER_GIL];
    if (gil && known && known->words[INTERPRETER_GIL] == gil)
        memcpy(&interpreter->gil, copier->memory + known->gil_copy, sizeof interpreter->gil);
    else if (gil)
        interpreter->gil_known = copier_read(copier, &interpreter->gil, gil, sizeof interpreter->gil);
    return true;
}

static void find_interpreters(struct copier *copier) {
    struct interpreter found[INTERPRETERS_MAX];
    int count = 0;
    for (uintptr_t next = compat_newest_interpreter(); next && count < INTERPRETERS_MAX; count++) {
        if (!read_interpreter(copier, next, &found[count]))
            break;
        next = found[count].words[INTERPRETER_NEXT];
    }
    if (COMPAT_INTERPRETER_ID < 0) /* the newest comes first */
        for (int i = 0; i < count; i++)
            found[i].id = count - 1 - i;
    for (int i = 0; i < count; i++)
        threads.interpreters[i] = found[i];
    threads.interpreter_count = count;
}

static struct thread *find_known(uintptr_t tstate, size_t hint) {
    for (size_t i = 0; i < threads.places; i++) {
        struct thread *thread = &threads.all[(hint + i) % threads.places];
        if (thread->tstate == tstate)
            return thread;
    }
    return NULL;
}

static struct thread *take_place(void) {
    for (size_t i = 0; i < threads.places; i++)
        if (!threads.all[i].tstate)
            return &threads.all[i];
    return threads.places < THREADS_MAX ? &threads.all[threads.places++] : NULL;
}

static void read_name(struct thread *thread) {
    char path[64];
    thread->name[0] = '\0';
    if (!thread->described.tid)
        return;
    snprintf(path, sizeof path, "/proc/self/task/%u/comm", thread->described.tid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    ssize_t got = read(fd, thread->name, sizeof thread->name - 1);
    close(fd);
    thread->name[got > 0 ? got - (thread->name[got - 1] == '\n') : 0] = '\0';
}

/* A name from threading, when there are new ones; a thread that gets another one is asked for anew. */
static void update_name(struct thread *thread) {
    char name[THREAD_NAME_MAX];
    uint32_t version = names_version();
    if (thread->named == version || (version & 1))
        return;
    thread->named = version;
    if (!names_find(thread->described.ident, name, sizeof name)) {
        if (!thread->asked)
            names_want();
        thread->asked = true;
    } else if (strcmp(name, thread->name) != 0) {
        memcpy(thread->name, name, sizeof name);
        thread->serial = ++threads.serial;
    }
}

static struct thread *add_thread(struct copier *copier, uintptr_t address, const PyThreadState *state,
                                 const struct interpreter *interpreter) {
    struct thread *thread = take_place();
    if (!thread)
        return NULL;
    memset(thread, 0, offsetof(struct thread, trail));
    memset(&thread->trail, 0, offsetof(struct stack_trail, frames));
    thread->tstate = address;
    thread->interp = interpreter->address;
    thread->number = compat_tstate_id((PyThreadState *)state);
    thread->serial = ++threads.serial;
    thread->status = -1;
    thread->cpu = 0;
    thread->copy = THREADS_NO_COPY;
    thread->state = 0;
    thread->described = (struct samples_thread){
        .ident = (uint64_t)state->thread_id,
        .tid = tid_of(copier, state),
        .interpreter = (uint32_t)interpreter->id,
        .kind = SAMPLES_THREAD,
    };
    thread->described.main = thread->described.tid == (uint32_t)getpid();
    if (thread->described.main)
        snprintf(thread->name, sizeof thread->name, "MainThread");
    else
        read_name(thread);
    thread->named = names_version() + 1;
    return thread;
}

/* Has this place become another thread's? */
static bool is_same(const struct thread *thread, const PyThreadState *state) {
    return thread->number == compat_tstate_id((PyThreadState *)state) &&
           thread->described.ident == (uint64_t)state->thread_id;
}

static void forget(struct thread *thread) {
    close_status(thread);
    thread->tstate = 0;
}

/* A thread state: of what was foreseen, or read now. False: it is none of this interpreter's. */
static bool read_state(struct copier *copier, const struct interpreter *interpreter, uintptr_t address,
                       const struct thread *known, PyThreadState *state) {
    if (known && known->copy != THREADS_NO_COPY && known->copy + sizeof *state <= threads.copied)
        memcpy(state, copier->memory + known->copy, sizeof *state);
    else if (!copier_read(copier, state, address, sizeof *state))
        return false;
    return (uintptr_t)state->interp == interpreter->address;
}

static size_t find_in(struct copier *copier, const struct interpreter *interpreter, size_t count) {
    uintptr_t next = interpreter->words[INTERPRETER_THREADS];
    size_t hint = 0;
    PyThreadState state;
    for (size_t steps = 0; next && steps < THREADS_MAX && count < THREADS_MAX; steps++) {
        struct thread *thread = threads.places ? find_known(next, hint) : NULL;
        if (!read_state(copier, interpreter, next, thread, &state))
            break;
        if (thread && !is_same(thread, &state)) {
            forget(thread);
            thread = NULL;
        }
        if (!thread)
            thread = add_thread(copier, next, &state, interpreter);
        if (!thread)
            break;
        hint = (size_t)(thread - threads.all) + threads.places - 1;
        if (thread->round != threads.round)
            threads.found[count++] = thread;
        thread->round = threads.round;
        thread->described.ident = (uint64_t)state.thread_id;
        thread->gil = interpreter->words[INTERPRETER_GIL];
        thread->has_gil =
            interpreter->gil_known && compat_copied_has_gil(thread->tstate, &state, &interpreter->gil);
        update_name(thread);
        next = (uintptr_t)state.next;
    }
    return count;
}

size_t threads_find(struct copier *copier, struct thread *const **found) {
    size_t count = 0;
    threads.round++;
    copy_known(copier);
    find_interpreters(copier);
    for (int i = 0; i < threads.interpreter_count; i++)
        count = find_in(copier, &threads.interpreters[i], count);
    threads.found_count = count;
    for (size_t i = 0; i < threads.places; i++)
        if (threads.all[i].tstate && threads.all[i].round != threads.round)
            forget(&threads.all[i]);
    *found = threads.found;
    return count;
}

size_t threads_place(const struct thread *thread) {
    return (size_t)(thread - threads.all);
}

/* ---- What one does ---- */

/* The kernel's file on the system call that a thread is in: "running", or its number and arguments. */
static ssize_t read_status(struct thread *thread, char *text, size_t size) {
    char path[64];
    int fd = thread->status;
    if (fd < 0) {
        snprintf(path, sizeof path, "/proc/self/task/%u/syscall", thread->described.tid);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            return -1;
    }
    ssize_t got = pread(fd, text, size - 1, 0);
    if (threads.own_descriptors && got >= 0 &&
        (thread->status >= 0 || threads.status_files < STATUS_FILES_MAX)) {
        threads.status_files += thread->status < 0;
        thread->status = fd;
    } else if (thread->status >= 0) {
        close_status(thread);
    } else {
        close(fd);
    }
    text[got > 0 ? got : 0] = '\0';
    return got;
}

static uint32_t state_of(struct thread *thread) {
    char text[256];
    unsigned long number, address;
    if (read_status(thread, text, sizeof text) <= 0)
        return SAMPLE_ON_CPU; /* no such file here: it has run, and that is all that is known */
    if (text[0] == 'r')
        return SAMPLE_ON_CPU;
    if (sscanf(text, "%lu 0x%lx", &number, &address) == 2 && number == SYS_futex &&
        compat_waits_for_gil(address, thread->gil))
        return SAMPLE_WAITS_GIL;
    return 0;
}

void threads_look(struct thread *thread) {
    uint64_t cpu = threads_cpu(thread->described.tid);
    thread->changed = cpu != thread->cpu || !cpu;
    thread->cpu = cpu;
    if (thread->changed) {
        /* One that has run between two looks at its clock is on a processor; only the kernel's file tells
           whether another waits for one. */
        thread->cpu = threads_cpu(thread->described.tid);
        thread->state = thread->cpu != cpu ? SAMPLE_ON_CPU : state_of(thread);
    }
    thread->state = (thread->state & ~(uint32_t)SAMPLE_HAS_GIL) | (thread->has_gil ? SAMPLE_HAS_GIL : 0);
}
