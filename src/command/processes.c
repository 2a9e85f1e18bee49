/*
 * The processes of a trace.
 */
#ifndef _GNU_SOURCE
#    define _GNU_SOURCE
#endif
#include "processes.h"

#include "clocks.h"
#include "command.h"
#include "process.h"
#include "run.h"
#include "targets.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* Nanoseconds: a session that gets no answer is asked for again, */
static const uint64_t AGAIN_EACH = 10000000;
static const uint64_t AGAIN_MAX = 2000000000; /* and so long in all */

/* Splits a command at blanks, as dtrace does: quotes mean nothing. The words lie in one block with the array.
 */
static char **split(const char *command) {
    static const char blanks[] = " \f\n\r\t\v";
    size_t length = strlen(command) + 1;
    char **words = command_allocate(length / 2 + 2, sizeof *words + 2);
    char *text = (char *)(words + length / 2 + 2);
    size_t count = 0;
    memcpy(text, command, length);
    for (char *rest = NULL, *word = strtok_r(text, blanks, &rest); word != NULL;
         word = strtok_r(NULL, blanks, &rest)) {
        words[count++] = word;
    }
    return words;
}

/* A descriptor that becomes readable when the process ends; -1 where there is no such thing. */
static int watch(pid_t pid) {
#if defined(SYS_pidfd_open)
    return (int)syscall(SYS_pidfd_open, pid, 0);
#else
    (void)pid;
    return -1;
#endif
}

static bool start_children(struct processes *processes) {
    const struct trace_request *request = processes->request;
    processes->children =
        command_allocate(request->command_count + (request->program != NULL), sizeof *processes->children);
    for (size_t i = 0; i < request->command_count; i++) {
        char **words = split(request->commands[i]);
        bool started = words[0] == NULL ? (command_error("No such process"), false)
                                        : child_start(&processes->children[processes->child_count], words);
        free(words);
        if (!started) {
            return false;
        }
        processes->child_count++;
    }
    if (request->program != NULL) {
        if (!run_found(request->program[0])) {
            command_error("%s: %s", request->program[0], strerror(ENOENT));
            return false;
        }
        if (!child_start(&processes->children[processes->child_count], request->program)) {
            return false;
        }
        processes->child_count++;
    }
    return true;
}

bool processes_open(struct processes *processes, const struct trace_request *request,
                    struct catalog *catalog) {
    *processes =
        (struct processes){.request = request, .catalog = catalog, .program = -1, .arena = -1, .clocks = ""};
    processes->watched = command_allocate(request->pid_count, sizeof *processes->watched);
    for (size_t i = 0; i < request->pid_count; i++) {
        processes->watched[i].fd = -1;
    }
    for (size_t i = 0; i < request->pid_count; i++) {
        struct watch *watched = &processes->watched[i];
        watched->visible = process_exists(request->pids[i]);
        if (!watched->visible && !targets_has(request->pids[i])) {
            if (request->must_trace) {
                targets_explain_absence(request->pids[i]);
            } else {
                command_error("No such process"); /* dtrace's words */
            }
            return false;
        }
        watched->fd = watched->visible ? watch(request->pids[i]) : -1;
    }
    processes->follows = request->pid_count == 0 && request->command_count == 0 && request->program == NULL;
    return start_children(processes);
}

void processes_close(struct processes *processes) {
    processes_stop(processes);
    for (size_t i = 0; i < processes->count; i++) {
        if (processes->items[i]->descriptor >= 0) {
            close(processes->items[i]->descriptor);
        }
        free(processes->items[i]->program);
        free(processes->items[i]);
    }
    for (size_t i = 0; i < processes->child_count; i++) {
        if (i < processes->request->command_count) {
            child_kill(&processes->children[i]); /* as dtrace does; that of a verb runs on */
        }
        child_close(&processes->children[i]);
    }
    for (size_t i = 0; processes->watched != NULL && i < processes->request->pid_count; i++) {
        if (processes->watched[i].fd >= 0) {
            close(processes->watched[i].fd);
        }
    }
    if (processes->program >= 0) {
        close(processes->program);
    }
    free(processes->items);
    free(processes->children);
    free(processes->watched);
}

pid_t processes_target(const struct processes *processes) {
    if (processes->request->pid_count > 0) {
        return processes->request->pids[0];
    }
    return processes->child_count > 0 ? processes->children[0].pid : 0;
}

static struct process *add(struct processes *processes, const struct target *target) {
    struct process **items = realloc(processes->items, (processes->count + 1) * sizeof(*items));
    if (items == NULL) {
        exit(command_error("out of memory"));
    }
    processes->items = items;
    struct process *process = command_allocate(1, sizeof *process);
    process->target = *target;
    process->descriptor = -1;
    process->session.fd = -1;
    process->first = catalog_add_process(processes->catalog, target->pid, &target->status);
    items[processes->count++] = process;
    return process;
}

static bool is_known(const struct processes *processes, pid_t pid, unsigned long long start) {
    for (size_t i = 0; i < processes->count; i++) {
        const struct target *target = &processes->items[i]->target;
        if (target->pid == pid && target->status.start == start) {
            return true;
        }
    }
    return false;
}

/* Adds all that can be traced and are not known yet. Returns how many. */
static size_t look_everywhere(struct processes *processes) {
    struct targets found;
    size_t before = processes->count;
    targets_find(&found);
    for (size_t i = 0; i < found.count; i++) {
        const struct target *target = &found.items[i];
        if (target->outcome == QUERY_ANSWERED && !is_known(processes, target->pid, target->status.start)) {
            add(processes, target);
        }
    }
    targets_free(&found);
    return processes->count - before;
}

static void look_at(struct processes *processes, pid_t pid) {
    struct targets found;
    const struct target *target = targets_find_pid(&found, pid);
    if (target != NULL && is_known(processes, target->pid, target->status.start)) {
        /* named twice */
    } else if (target != NULL) {
        add(processes, target);
    } else {
        processes->failed = true;
    }
    targets_free(&found);
}

/* A Python that has just started: its agent is about to listen. */
static void await_agent(pid_t pid) {
    enum { LOOKS_MAX = 400, LOOK_MILLISECONDS = 5 };
    for (int i = 0; i < LOOKS_MAX && !targets_has(pid); i++) {
        poll(NULL, 0, LOOK_MILLISECONDS);
    }
}

void processes_look(struct processes *processes) {
    if (processes->looked) {
        return;
    }
    processes->looked = true;
    for (size_t i = 0; i < processes->request->pid_count; i++) {
        look_at(processes, processes->request->pids[i]);
    }
    for (size_t i = 0; i < processes->child_count && !processes->failed; i++) {
        struct child *child = &processes->children[i];
        if (!child_begin(child)) {
            processes->failed = true;
        } else if (child_wait_held(child)) {
            await_agent(child->pid);
            look_at(processes, child->pid);
        }
    }
    if (processes->follows) {
        look_everywhere(processes);
    }
}

static bool means(const struct program_header *program, const struct process *process) {
    const struct program_enabling *enablings = program_entries(program, SECTION_ENABLINGS);
    char provider[CATALOG_PROVIDER_MAX];
    snprintf(provider, sizeof provider, "python%ld", (long)process->target.pid);
    for (uint32_t i = 0; i < program_count(program, SECTION_ENABLINGS); i++) {
        if (!program_glob(program_string(program, enablings[i].provider), provider)) {
            continue;
        }
        for (int k = 0; k < process->target.status.probe_count; k++) {
            if (program_glob(program_string(program, enablings[i].name),
                             process->target.status.probes[k].name)) {
                return true;
            }
        }
    }
    return false;
}

static const struct program_header *program_of(const struct process *process,
                                               const struct program_header *program) {
    return process->program == NULL ? program : process->program;
}

size_t processes_want(struct processes *processes, const struct program_header *program) {
    size_t count = 0;
    for (size_t i = 0; i < processes->count; i++) {
        struct process *process = processes->items[i];
        bool sampled = !processes->follows && processes->clocks[0] != '\0';
        process->wanted = sampled || means(program_of(process, program), process);
        count += process->wanted;
    }
    return count;
}

/* What a consumer reads records by must be the same in the programs of all processes. */
static bool same_records(const struct program_header *one, const struct program_header *other) {
    static const enum program_section_id sections[] = {SECTION_VARIABLES, SECTION_KINDS, SECTION_AGGREGATIONS,
                                                       SECTION_FIELDS, SECTION_ACTIONS};
    static const size_t sizes[] = {sizeof(struct program_variable), 1, sizeof(struct program_aggregation),
                                   sizeof(struct program_field), sizeof(struct program_action)};
    for (size_t i = 0; i < sizeof sections / sizeof sections[0]; i++) {
        uint32_t count = program_count(one, sections[i]);
        if (count != program_count(other, sections[i]) ||
            memcmp(program_entries(one, sections[i]), program_entries(other, sections[i]),
                   count * sizes[i]) != 0) {
            return false;
        }
    }
    return program_count(one, SECTION_ENABLINGS) == program_count(other, SECTION_ENABLINGS);
}

static bool seal_own_program(struct process *process, const struct program_header *program) {
    if (process->program == NULL) {
        return true;
    }
    if (!same_records(program, process->program)) {
        command_error("process %ld: the program means something else for each $target: trace one at a time",
                      (long)process->target.pid);
        return false;
    }
    process->descriptor = session_seal(process->program, process->program->size);
    return process->descriptor >= 0;
}

/* A session that got no answer is asked for again in a while, if the process lives. */
static void put_off(struct process *process) {
    uint64_t now = clocks_now();
    if (process->session.state != SESSION_ENDED || !process->session.unanswered) {
        return;
    }
    process->session.unanswered = false;
    if (!process_lives(process->target.pid)) {
        snprintf(process->session.why, sizeof process->session.why, "died");
        return;
    }
    if (process->again_until == 0) {
        process->again_until = now + AGAIN_MAX;
    }
    if (now < process->again_until) {
        process->again_at = now + AGAIN_EACH;
        process->session.state = SESSION_ASKED;
    }
}

static void ask(struct processes *processes, struct process *process) {
    process->again_at = 0;
    session_open(&process->session, &process->target,
                 process->descriptor >= 0 ? process->descriptor : processes->program, processes->arena,
                 process->first, processes->clocks);
    put_off(process);
}

uint64_t processes_due(const struct processes *processes) {
    uint64_t due = UINT64_MAX;
    for (size_t i = 0; i < processes->count; i++) {
        uint64_t at = processes->items[i]->again_at;
        due = at != 0 && at < due ? at : due;
    }
    return due;
}

static bool too_many(const struct processes *processes) {
    char names[1024] = "";
    size_t length = 0;
    size_t count = 0;
    for (size_t i = 0; i < processes->count; i++) {
        if (processes->items[i]->wanted) {
            count++;
            if (length < sizeof names) {
                length += (size_t)snprintf(names + length, sizeof names - length, " %ld",
                                           (long)processes->items[i]->target.pid);
            }
        }
    }
    if (count <= TRACE_PROCESSES_MAX || processes->request->all) {
        return false;
    }
    command_error("%zu processes would be traced at once:%s%s: name some with -p, or say --all", count, names,
                  length < sizeof names ? "" : " ...");
    return true;
}

bool processes_trace(struct processes *processes, const struct program_header *program, int arena) {
    processes->arena = arena;
    if (too_many(processes)) {
        return false;
    }
    bool any = processes->follows;
    for (size_t i = 0; i < processes->count; i++) {
        any = any || processes->items[i]->wanted;
        if (processes->items[i]->wanted && !seal_own_program(processes->items[i], program)) {
            return false;
        }
    }
    if (any) {
        processes->program = session_seal(program, program->size);
        if (processes->program < 0) {
            return false;
        }
    }
    for (size_t i = 0; i < processes->count; i++) {
        if (processes->items[i]->wanted) {
            ask(processes, processes->items[i]);
        }
    }
    return true;
}

void processes_follow(struct processes *processes, const struct program_header *program) {
    size_t before = processes->count;
    if (!processes->follows || !processes->looked || !targets_changed() || look_everywhere(processes) == 0) {
        return;
    }
    for (size_t i = before; i < processes->count; i++) {
        struct process *process = processes->items[i];
        process->wanted = means(program, process);
        if (process->wanted) {
            ask(processes, process);
        }
    }
}

size_t processes_in(const struct processes *processes, enum session_state least, unsigned *probes) {
    size_t count = 0;
    *probes = 0;
    for (size_t i = 0; i < processes->count; i++) {
        const struct session *session = &processes->items[i]->session;
        bool open = session->fd >= 0 || session->state == SESSION_ASKED;
        if (session->state >= least && session->state != SESSION_ENDED && open) {
            count++;
            *probes += session->probes;
        }
    }
    return count;
}

size_t processes_polls(const struct processes *processes, struct pollfd **polls, size_t extra) {
    size_t most = extra + processes->count + processes->child_count + processes->request->pid_count;
    size_t count = extra;
    *polls = command_allocate(most, sizeof(**polls));
    for (size_t i = 0; i < processes->count; i++) {
        if (processes->items[i]->session.fd >= 0) {
            (*polls)[count++] = (struct pollfd){.fd = processes->items[i]->session.fd, .events = POLLIN};
        }
    }
    for (size_t i = 0; i < processes->child_count; i++) {
        if (processes->children[i].hold >= 0) {
            (*polls)[count++] = (struct pollfd){.fd = processes->children[i].hold, .events = POLLIN};
        }
    }
    for (size_t i = 0; i < processes->request->pid_count; i++) {
        if (processes->watched[i].fd >= 0) {
            (*polls)[count++] = (struct pollfd){.fd = processes->watched[i].fd, .events = POLLIN};
        }
    }
    return count;
}

void processes_receive(struct processes *processes) {
    for (size_t i = 0; i < processes->count; i++) {
        struct process *process = processes->items[i];
        if (process->again_at != 0 && clocks_now() >= process->again_at) {
            ask(processes, process);
        }
        if (process->again_at == 0) {
            session_receive(&process->session);
            put_off(process);
        }
    }
    for (size_t i = 0; i < processes->child_count; i++) {
        if (processes->children[i].hold >= 0) {
            child_answer(&processes->children[i]);
        }
    }
}

static bool has_ended(struct processes *processes, size_t at) {
    const struct watch *watched = &processes->watched[at];
    struct pollfd polled = {.fd = watched->fd, .events = POLLIN};
    if (watched->fd >= 0) {
        return poll(&polled, 1, 0) > 0;
    }
    return watched->visible && !process_exists(processes->request->pids[at]);
}

/* Whether a session ended because its process did, as far as can be told. */
static bool ended_with_process(const struct session *session) {
    return strcmp(session->why, "exit") == 0 || strcmp(session->why, "died") == 0;
}

bool processes_over(struct processes *processes) {
    bool traced = false; /* at least one session was to be, and all have ended */
    bool running = false;
    for (size_t i = 0; i < processes->child_count; i++) {
        running = !child_ended(&processes->children[i]) || running;
    }
    if (processes->follows) {
        return false;
    }
    for (size_t i = 0; i < processes->count; i++) {
        const struct process *process = processes->items[i];
        if (!process->wanted) {
            continue;
        }
        /* A child may have become another program, and ends the trace only when that ends. */
        if (process->session.state != SESSION_ENDED || (running && ended_with_process(&process->session))) {
            return false;
        }
        traced = true;
    }
    for (size_t i = 0; i < processes->request->pid_count && !running; i++) {
        running = !has_ended(processes, i);
    }
    return traced || !running;
}

bool processes_release(struct processes *processes) {
    for (size_t i = 0; i < processes->child_count; i++) {
        if (!child_begin(&processes->children[i])) {
            return false;
        }
        child_release(&processes->children[i]);
    }
    return true;
}

void processes_stop(struct processes *processes) {
    for (size_t i = 0; i < processes->count; i++) {
        session_close(&processes->items[i]->session);
    }
    for (size_t i = 0; i < processes->child_count; i++) {
        if (!processes->children[i].released) {
            child_kill(&processes->children[i]);
        }
    }
}
