/*
 * sampling.c: see sampling.h. Nothing that a process writes into its memory is trusted: counts are held
 * against the shape, which is kept here, and every index against the counts.
 */
#ifndef _GNU_SOURCE
#    define _GNU_SOURCE /* memfd_create, ppoll */
#endif
#include "sampling.h"

#include "child.h"
#include "command.h"
#include "process.h"
#include "signals.h"
#include "targets.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#ifndef MSG_NOSIGNAL
#    define MSG_NOSIGNAL 0 /* macOS: control_connect set SO_NOSIGPIPE */
#endif

enum {
    CONNECT_MILLISECONDS = 1000,
    ANSWER_MILLISECONDS = 2000,
    TRIES = 30, /* to ask an agent that leaves for a fork() in the middle of its answer */
    TRY_MILLISECONDS = 10,
    LOOK_MILLISECONDS = 20,      /* between looks at what has been sampled, */
    CHILDREN_MILLISECONDS = 200, /* at the children of processes, */
    START_LOOKS = 400,           /* and for the agent of a program that has just started */
    START_LOOK_MILLISECONDS = 5,
};

static const struct samples_shape shape = {
    .strings_size = 64 << 20,
    .frames = 1 << 20,
    .nodes = 1 << 22,
    .threads = 1 << 16,
    .ring = 1 << 18,
};
enum { LOCALS_SIZE = 64 << 20 };

struct process {
    struct sampling_process shown; /* the first member: what is handed out is this */
    struct samples_shape shape;
    unsigned char *memory;
    int fd;         /* of the connection, or -1 */
    uint64_t taken; /* samples */
    char command[256], version[32], executable[512];
    char problem[CONTROL_ERROR_MAX];
    size_t length; /* bytes in line */
    bool answered; /* the end of the answer has come */
    char line[CONTROL_REPLY_MAX];
};

/* A pid that was looked at for children, with what is to be known of it. */
struct seen {
    pid_t pid;
    unsigned long long start;
};

struct sampling {
    struct sampling_request request;
    struct sampling_process **processes;
    size_t count;
    struct seen *seen; /* children that are sampled, or cannot be */
    size_t seen_count;
    struct child child;
    bool has_child;
    uint64_t look_again; /* ns: at children */
};

static uint64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

static struct process *process_of(const struct sampling_process *shown) {
    return (struct process *)shown;
}

/* ---- The memory ---- */

static uint64_t count_of(const uint64_t *count, uint64_t most) {
    uint64_t value = __atomic_load_n(count, __ATOMIC_ACQUIRE);
    return value < most ? value : most;
}

/* A memory file for the samples, mapped: a descriptor that the caller closes, or -1. */
static int make_memory(struct process *process, bool locals) {
#if defined(__linux__)
    process->shape = shape;
    process->shape.locals_size = locals ? LOCALS_SIZE : 0;
    size_t size = samples_size(&process->shape);
    int fd = memfd_create("catprobe-samples", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd >= 0 && ftruncate(fd, (off_t)size) == 0 &&
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0) {
        void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (memory != MAP_FAILED) {
            struct samples_header *header = memory;
            process->memory = memory;
            memcpy(header->magic, SAMPLES_MAGIC, sizeof header->magic);
            header->version = SAMPLES_VERSION;
            header->shape = process->shape;
            return fd;
        }
    }
    snprintf(process->problem, sizeof process->problem, "cannot make a memory file for the samples: %s",
             strerror(errno));
    if (fd >= 0) {
        close(fd);
    }
#else
    (void)locals;
    snprintf(process->problem, sizeof process->problem,
             "only Linux has the memory files that sampling needs");
#endif
    return -1;
}

const char *sampling_string(const struct sampling_process *shown, uint32_t string) {
    const struct process *process = process_of(shown);
    uint64_t end = count_of(&shown->samples->strings, process->shape.strings_size);
    const char *strings = (const char *)process->memory + samples_strings_at(&process->shape);
    if (string >= end || memchr(strings + string, '\0', end - string) == NULL) {
        return "";
    }
    return strings + string;
}

struct samples_frame sampling_frame(const struct sampling_process *shown, uint32_t number) {
    const struct process *process = process_of(shown);
    struct samples_frame frame = {0};
    if (number < count_of(&shown->samples->frames, process->shape.frames)) {
        memcpy(&frame, process->memory + samples_frames_at(&process->shape) + number * sizeof frame,
               sizeof frame);
    }
    return frame;
}

struct samples_node sampling_node(const struct sampling_process *shown, uint32_t number) {
    const struct process *process = process_of(shown);
    struct samples_node node = {0};
    if (number < count_of(&shown->samples->nodes, process->shape.nodes)) {
        memcpy(&node, process->memory + samples_nodes_at(&process->shape) + number * sizeof node,
               sizeof node);
    }
    /* The caller has the lower number, so that a walk ends. */
    return node.caller < number ? node : (struct samples_node){0};
}

struct samples_thread sampling_thread(const struct sampling_process *shown, uint32_t number) {
    const struct process *process = process_of(shown);
    struct samples_thread thread = {0};
    if (number < count_of(&shown->samples->threads, process->shape.threads)) {
        memcpy(&thread, process->memory + samples_threads_at(&process->shape) + number * sizeof thread,
               sizeof thread);
    }
    return thread;
}

const char *sampling_locals(const struct sampling_process *shown, const struct sample *sample,
                            size_t *length) {
    const struct process *process = process_of(shown);
    uint64_t end = count_of(&shown->samples->locals, process->shape.locals_size);
    const char *locals = (const char *)process->memory + samples_locals_at(&process->shape);
    *length = 0;
    if (sample->locals == 0 || sample->locals > end) {
        return NULL;
    }
    uint64_t from = sample->locals - 1;
    while (end > from && locals[end - 1] != '\0') {
        end--;
    }
    *length = end - from;
    return *length == 0 ? NULL : locals + from;
}

static size_t read_process(struct process *process, sampling_take *take, void *context) {
    struct samples_header *header = (struct samples_header *)process->memory;
    size_t count = 0;
    if (header == NULL) {
        return 0;
    }
    uint64_t written = __atomic_load_n(&header->written, __ATOMIC_ACQUIRE);
    uint64_t threads = count_of(&header->threads, process->shape.threads);
    uint64_t nodes = count_of(&header->nodes, process->shape.nodes);
    if (written - process->taken > process->shape.ring) {
        process->taken = written; /* it lies, or something else wrote there */
    }
    for (; process->taken < written; process->taken++) {
        struct sample sample;
        uint64_t at = process->taken & (process->shape.ring - 1);
        memcpy(&sample, process->memory + samples_ring_at(&process->shape) + at * sizeof sample,
               sizeof sample);
        if (sample.thread < threads && sample.node < nodes) {
            take(context, &process->shown, &sample);
            count++;
        }
    }
    __atomic_store_n(&header->taken, process->taken, __ATOMIC_RELEASE);
    return count;
}

size_t sampling_read(struct sampling *sampling, sampling_take *take, void *context) {
    size_t count = 0;
    for (size_t i = 0; i < sampling->count; i++) {
        count += read_process(process_of(sampling->processes[i]), take, context);
    }
    return count;
}

/* ---- The connection ---- */

static void end(struct process *process, const char *why) {
    if (process->fd >= 0) {
        close(process->fd);
        process->fd = -1;
    }
    process->shown.ended = true;
    if (why != NULL && process->problem[0] == '\0') {
        snprintf(process->problem, sizeof process->problem, "%s", why);
    }
}

static void take_line(struct process *process, const char *line) {
    static const char refusal[] = "error ";
    int version;
    const char *rest;
    if (process->answered) {
        if (strncmp(line, "gone ", 5) == 0) {
            end(process, NULL);
        }
    } else if (line[0] == '\0') {
        process->answered = true;
    } else if (control_greeting_parse(line, &version, &rest)) {
        if (strncmp(rest, refusal, sizeof refusal - 1) == 0) {
            end(process, rest + sizeof refusal - 1);
        } else if (strcmp(rest, "ok") != 0) {
            end(process, "it gives an answer that makes no sense: is this catprobe?");
        }
    }
}

static void receive(struct process *process) {
    while (process->fd >= 0) {
        size_t room = sizeof process->line - process->length;
        ssize_t got = room == 0 ? 0 : recv(process->fd, process->line + process->length, room, MSG_DONTWAIT);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            return;
        }
        if (got <= 0) {
            end(process, NULL);
            return;
        }
        process->length += (size_t)got;
        char *line = process->line;
        char *stop;
        while (process->fd >= 0 &&
               (stop = memchr(line, '\n', process->length - (size_t)(line - process->line))) != NULL) {
            *stop = '\0';
            control_clean(line, (size_t)(stop - line));
            take_line(process, line);
            line = stop + 1;
        }
        process->length -= (size_t)(line - process->line);
        memmove(process->line, line, process->length);
    }
}

static bool send_request(int fd, const char *request, int memory) {
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec vector = {.iov_base = (char *)request, .iov_len = strlen(request)};
    struct msghdr message = {
        .msg_iov = &vector,
        .msg_iovlen = 1,
        .msg_control = control.bytes,
        .msg_controllen = sizeof control.bytes,
    };
    memset(&control, 0, sizeof control);
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof memory);
    memcpy(CMSG_DATA(header), &memory, sizeof memory);
    return sendmsg(fd, &message, MSG_NOSIGNAL) == (ssize_t)vector.iov_len;
}

static uint32_t flags_of(const struct sampling_request *request) {
    return (request->idle ? SAMPLES_IDLE : 0) | (request->tasks ? SAMPLES_TASKS : 0) |
           (request->locals ? SAMPLES_LOCALS : 0) | (request->native ? SAMPLES_NATIVE : 0);
}

/* Asks once, and waits for the answer. False: there was none, though nobody refused. */
static bool ask(struct process *process, const struct target *target, const struct sampling_request *request,
                int memory) {
    char text[CONTROL_REQUEST_MAX];
    snprintf(text, sizeof text, "catprobe/3 sample pid=%ld period=%llu ticks=%llu flags=%lu\n",
             (long)target->pid, (unsigned long long)request->period, (unsigned long long)request->ticks,
             (unsigned long)flags_of(request));
    process->shown.ended = false;
    process->fd = control_connect(target->path, CONNECT_MILLISECONDS);
    if (process->fd < 0) {
        return false;
    }
    (void)send_request(process->fd, text, memory); /* if it fails, what was received says why */
    uint64_t until = now() + (uint64_t)ANSWER_MILLISECONDS * 1000000;
    do {
        struct pollfd polled = {.fd = process->fd, .events = POLLIN};
        poll(&polled, 1, TRY_MILLISECONDS);
        receive(process);
    } while (process->fd >= 0 && !process->answered && now() < until);
    if (process->fd >= 0 && !process->answered) {
        end(process, "it does not answer: is it stopped?");
    }
    return process->answered || process->problem[0] != '\0';
}

/* Opens a viewer of this process; what goes wrong is its problem. */
static struct process *add(struct sampling *sampling, const struct target *target) {
    struct sampling_process **processes =
        realloc(sampling->processes, (sampling->count + 1) * sizeof(*processes));
    if (processes == NULL) {
        exit(command_error("out of memory"));
    }
    sampling->processes = processes;
    struct process *process = command_allocate(1, sizeof *process);
    processes[sampling->count++] = &process->shown;
    process->fd = -1;
    process_command(target->pid, process->command, sizeof process->command);
    snprintf(process->version, sizeof process->version, "%s", target->status.version);
    snprintf(process->executable, sizeof process->executable, "%.*s", (int)sizeof process->executable - 1,
             target->status.executable);
    process->shown = (struct sampling_process){
        .pid = target->pid,
        .command = process->command,
        .version = process->version,
        .executable = process->executable,
    };
    int memory = make_memory(process, sampling->request.locals);
    process->shown.samples = (const struct samples_header *)process->memory;
    for (int i = 0; memory >= 0 && i < TRIES && !ask(process, target, &sampling->request, memory); i++) {
        poll(NULL, 0, TRY_MILLISECONDS);
    }
    if (memory >= 0) {
        close(memory);
    }
    if (!process->answered) {
        end(process, "it does not answer");
        process->shown.problem = process->problem;
    }
    return process;
}

/* ---- Children ---- */

static bool was_seen(struct sampling *sampling, pid_t pid) {
    unsigned long long start = 0;
    control_start_time(pid, &start);
    for (size_t i = 0; i < sampling->seen_count; i++) {
        if (sampling->seen[i].pid == pid && sampling->seen[i].start == start) {
            return true;
        }
    }
    return false;
}

static void remember(struct sampling *sampling, pid_t pid) {
    unsigned long long start = 0;
    struct seen *seen = realloc(sampling->seen, (sampling->seen_count + 1) * sizeof(*seen));
    if (seen == NULL) {
        exit(command_error("out of memory"));
    }
    control_start_time(pid, &start);
    sampling->seen = seen;
    seen[sampling->seen_count++] = (struct seen){pid, start};
}

static pid_t parent_of(pid_t pid) {
    return (pid_t)process_status(pid, "PPid");
}

/* Is it, or one of its ancestors, a process that was asked for? */
static bool descends(const struct sampling *sampling, pid_t pid) {
    const struct sampling_request *request = &sampling->request;
    for (int depth = 0; pid > 1 && depth < 64; depth++, pid = parent_of(pid)) {
        for (size_t i = 0; i < request->pid_count; i++) {
            if (request->pids[i] == pid) {
                return true;
            }
        }
        if (sampling->has_child && sampling->child.pid == pid) {
            return true;
        }
    }
    return false;
}

/* Adds the descendants that can be traced and are not known yet. */
static void look_for_children(struct sampling *sampling) {
    struct targets found;
    if (now() < sampling->look_again) {
        return;
    }
    sampling->look_again = now() + (uint64_t)CHILDREN_MILLISECONDS * 1000000;
    if (!targets_changed()) {
        return;
    }
    targets_find(&found);
    for (size_t i = 0; i < found.count; i++) {
        const struct target *target = &found.items[i];
        if (target->outcome == QUERY_ANSWERED && !was_seen(sampling, target->pid) &&
            descends(sampling, target->pid)) {
            remember(sampling, target->pid);
            add(sampling, target);
        }
    }
    targets_free(&found);
}

/* ---- Opening and closing ---- */

/* False after a message. */
static bool add_pid(struct sampling *sampling, pid_t pid) {
    struct targets found;
    const struct target *target = targets_find_pid(&found, pid);
    bool good = false;
    if (target != NULL) {
        remember(sampling, pid);
        struct process *process = add(sampling, target);
        good = process->answered;
        if (!good) {
            command_error("process %ld: %s", (long)pid, process->problem);
        }
    }
    targets_free(&found);
    return good;
}

static bool start_program(struct sampling *sampling) {
    if (!child_start(&sampling->child, sampling->request.program)) {
        return false;
    }
    sampling->has_child = true;
    if (!child_begin(&sampling->child)) {
        return false;
    }
    bool held = child_wait_held(&sampling->child);
    for (int i = 0; held && i < START_LOOKS && !targets_has(sampling->child.pid); i++) {
        poll(NULL, 0, START_LOOK_MILLISECONDS);
    }
    if (!held && !sampling->request.children) {
        command_error("the command is no Python that can be sampled, or has ended: sample its children "
                      "with --subprocesses");
        return false;
    }
    bool good = !held || add_pid(sampling, sampling->child.pid);
    child_release(&sampling->child);
    return good;
}

static bool any_open(const struct sampling *sampling) {
    for (size_t i = 0; i < sampling->count; i++) {
        if (!sampling->processes[i]->ended) {
            return true;
        }
    }
    return false;
}

struct sampling *sampling_open(const struct sampling_request *request) {
    struct sampling *sampling = command_allocate(1, sizeof *sampling);
    sampling->request = *request;
    bool good = true;
    if (request->program != NULL) {
        good = start_program(sampling);
    }
    for (size_t i = 0; i < request->pid_count; i++) {
        (void)add_pid(sampling, request->pids[i]);
    }
    if (request->children) {
        targets_changed();
        sampling->look_again = 0;
        look_for_children(sampling);
    }
    if (good && (any_open(sampling) || (request->children && sampling->has_child))) {
        return sampling;
    }
    sampling_close(sampling);
    return NULL;
}

int sampling_close(struct sampling *sampling) {
    int status = 0;
    for (size_t i = 0; i < sampling->count; i++) {
        struct process *process = process_of(sampling->processes[i]);
        if (process->fd >= 0) {
            close(process->fd);
        }
        if (process->memory != NULL) {
            munmap(process->memory, samples_size(&process->shape));
        }
        free(process);
    }
    if (sampling->has_child) {
        if (!sampling->child.released) {
            child_release(&sampling->child);
        }
        if (child_ended(&sampling->child)) {
            status = sampling->child.status;
        }
        child_close(&sampling->child);
    }
    free(sampling->processes);
    free(sampling->seen);
    free(sampling);
    return status;
}

struct sampling_process *const *sampling_processes(const struct sampling *sampling, size_t *count) {
    *count = sampling->count;
    return sampling->processes;
}

/* ---- Waiting ---- */

static bool has_samples(const struct process *process) {
    const struct samples_header *header = process->shown.samples;
    return header != NULL && __atomic_load_n(&header->written, __ATOMIC_ACQUIRE) != process->taken;
}

static bool is_over(const struct process *process) {
    const struct samples_header *header = process->shown.samples;
    return process->shown.ended || (header != NULL && __atomic_load_n(&header->finished, __ATOMIC_ACQUIRE));
}

static bool all_over(struct sampling *sampling) {
    for (size_t i = 0; i < sampling->count; i++) {
        const struct process *process = process_of(sampling->processes[i]);
        if (!is_over(process) || has_samples(process)) {
            return false;
        }
    }
    bool more = sampling->request.children && sampling->has_child && !child_ended(&sampling->child);
    return !more;
}

bool sampling_wait(struct sampling *sampling, int fd, uint64_t deadline) {
    uint64_t time = now();
    uint64_t until = time + (uint64_t)LOOK_MILLISECONDS * 1000000;
    if (sampling->request.children) {
        look_for_children(sampling);
    }
    if (deadline < until) {
        until = deadline;
    }
    struct timespec left = {0};
    if (until > time) {
        left.tv_nsec = (long)(until - time);
    }
    struct pollfd polled[] = {{.fd = fd, .events = POLLIN},
                              {.fd = signals_descriptor(), .events = POLLIN},
                              {.fd = sampling->has_child ? sampling->child.hold : -1, .events = POLLIN}};
    (void)ppoll(polled, sizeof polled / sizeof polled[0], &left, NULL);
    if (polled[2].revents != 0) {
        child_answer(&sampling->child);
    }
    for (size_t i = 0; i < sampling->count; i++) {
        receive(process_of(sampling->processes[i]));
    }
    return !all_over(sampling);
}
