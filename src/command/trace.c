/*
 * The trace: from a request to processes, a program, an arena, and a consumer that prints until the end.
 *
 * BEGIN fires when all processes have had their time to arm, and only then anything else does. The end, for
 * whatever reason it comes, is always the same: nothing but END fires any more, the processes are let go, END
 * fires, and all that was recorded is printed.
 */
#ifndef _GNU_SOURCE
#    define _GNU_SOURCE /* ppoll */
#endif
#include "trace.h"

#include "clocks.h"
#include "command.h"
#include "compile.h"
#include "process.h"
#include "processes.h"
#include "signals.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    PROBLEM_MAX = 512,
    MEMORY_SHARE = 16, /* of a container's memory: the part that a trace may take */
};

/* Nanoseconds. */
static const uint64_t MILLISECOND = 1000000;
static const uint64_t PACE_FIRST = 2000000;    /* between two passes, when there is something to print */
static const uint64_t PACE_IDLE = 50000000;    /* and the longest */
static const uint64_t START = 200000000;       /* so long the start lasts: passes come fast */
static const uint64_t ANSWER_MAX = 1000000000; /* a process has so long to answer */
static const uint64_t ARM_MAX = 100000000;     /* and so long to arm before the trace begins without it */
static const uint64_t SETTLE = 1000000;        /* a record is there so long after its time */

struct trace {
    const struct trace_request *request;
    struct dlang_source *sources; /* as compiled: the ids of -i replaced */
    struct catalog catalog;
    struct processes processes;
    struct dlang_result compiled;
    int arena_descriptor;
    struct arena *arena;
    struct clocks *clocks;
    struct consumer *consumer;
    FILE *out;
    bool quiet;       /* -q: then nothing is said that is not asked for */
    int output_error; /* errno of a write that failed; EPIPE: nobody reads it any more; 0: none did */
    bool announced;   /* that it is armed */
    bool woken;       /* one of the sink's descriptors can be read */
    bool failed;      /* one of the processes could not be traced */
    bool fired;       /* a clock has since the last pass */
    uint64_t begun, last_pass, pace;
    uint64_t records; /* at the last pass */
};

static bool gives_up(void *context) {
    (void)context;
    return signals_impatient();
}

/* The compiler asks here; Python processes are looked for when it asks for theirs. */

static unsigned match(void *context, const char *provider, const char *module, const char *function,
                      const char *name) {
    struct trace *trace = context;
    bool samples = !trace->processes.follows && catalog_means_sampling(provider, module, function, name);
    if (samples || catalog_means_processes(provider, name)) {
        processes_look(&trace->processes);
        if (trace->processes.failed) {
            return 1; /* that has been said already, and is the end after the compilation */
        }
    }
    return catalog_match(&trace->catalog, provider, module, function, name);
}

static const char *argument_type(void *context, const char *provider, const char *name, unsigned index) {
    (void)context;
    (void)provider;
    return catalog_argument_type(name, index);
}

static bool compile_for(struct trace *trace, pid_t target, struct dlang_result *result) {
    struct dlang_settings settings = trace->request->compiler;
    settings.sources = trace->sources;
    settings.target = (uint32_t)target;
    settings.probes = (struct dlang_probes){.match = match, .argument_type = argument_type, .context = trace};
    return compile_program(trace->request, &settings, result);
}

/* Processes other than the first have another $target. */
static bool compile_others(struct trace *trace) {
    struct processes *processes = &trace->processes;
    pid_t target = processes_target(processes);
    for (size_t i = 0; target != 0 && i < processes->count; i++) {
        struct process *process = processes->items[i];
        struct dlang_result result;
        if (process->target.pid == target) {
            continue;
        }
        if (!compile_for(trace, process->target.pid, &result)) {
            return false;
        }
        process->program = result.program;
        free(result.matched);
    }
    return true;
}

static bool compile(struct trace *trace) {
    size_t count = trace->request->compiler.source_count;
    trace->sources = command_allocate(count, sizeof *trace->sources);
    memcpy(trace->sources, trace->request->compiler.sources, count * sizeof *trace->sources);
    return compile_resolve_ids(trace->request, trace->sources, &trace->catalog) &&
           compile_for(trace, processes_target(&trace->processes), &trace->compiled) &&
           !trace->processes.failed && compile_others(trace);
}

static bool show_code(const struct trace *trace) {
    char *listing = dlang_listing(trace->compiled.program);
    if (listing == NULL) {
        return false;
    }
    fputs(listing, stderr);
    free(listing);
    return true;
}

/* What is printed, and by whom. */

static bool name_probe(void *context, uint32_t id, struct consumer_probe *probe) {
    const struct trace *trace = context;
    const struct catalog_probe *found = catalog_find(&trace->catalog, id);
    if (found == NULL) {
        return false;
    }
    bool python = strncmp(found->provider, "python", 6) == 0;
    *probe = (struct consumer_probe){
        .provider = found->provider,
        .module = python ? NULL : found->module,
        .function = python ? NULL : found->function, /* in D they name the code, which the record has */
        .name = found->name,
    };
    return true;
}

static bool open_output(struct trace *trace) {
    const struct trace_sink *sink = trace->request->sink;
    const char *path = sink != NULL ? NULL : trace->request->output;
    trace->out = sink != NULL && sink->out != NULL ? sink->out : stdout;
    if (path != NULL) {
        trace->out = fopen(path, trace->request->append ? "ae" : "we");
        if (trace->out == NULL) {
            trace->out = stdout;
            command_error("failed to open output file '%s': %s", path, strerror(errno));
            return false;
        }
    }
    return sink == NULL || sink->begins == NULL || sink->begins(sink->output.context);
}

/* Without -x maxmem, a process in a container is not charged more than a share of what the container may
 * have. */
static void respect_memory_limits(struct trace *trace) {
    int64_t *most = &trace->compiled.program->options[OPTION_MAXMEM];
    if (*most != OPTION_UNSET) {
        return;
    }
    for (size_t i = 0; i < trace->processes.count; i++) {
        uint64_t share = process_memory_limit(trace->processes.items[i]->target.pid) / MEMORY_SHARE;
        if (share > 0 && share < (uint64_t)program_option(trace->compiled.program, OPTION_MAXMEM)) {
            *most = (int64_t)share;
        }
    }
}

static bool open_session(struct trace *trace) {
    struct arena_shape shape;
    char problem[PROBLEM_MAX] = "";
    respect_memory_limits(trace);
    arena_shape_of(&shape, trace->compiled.program);
    trace->arena_descriptor = arena_create(&shape, problem, sizeof problem);
    if (trace->arena_descriptor >= 0) {
        trace->arena = arena_map(trace->arena_descriptor, problem, sizeof problem);
    }
    if (trace->arena == NULL) {
        command_error("%s", problem);
        return false;
    }
    trace->clocks = clocks_open(trace->compiled.program, trace->arena, &trace->catalog);
    if (trace->clocks == NULL) {
        return false;
    }
    trace->processes.clocks = clocks_of_targets(trace->clocks);
    struct consumer_settings settings = {
        .out = trace->out,
        .err = stderr,
        .name = command_name(),
        .terminal = isatty(fileno(trace->out)) == 1,
        .gives_up = gives_up,
        .probe = name_probe,
        .context = trace,
        .sink = trace->request->sink == NULL ? NULL : &trace->request->sink->output,
    };
    trace->consumer =
        consumer_open(trace->compiled.program, trace->arena, &settings, problem, sizeof problem);
    if (trace->consumer == NULL) {
        command_error("%s", problem);
        return false;
    }
    return true;
}

enum { POLL_SIGNALS, POLL_OUTPUT, POLL_WAKES, POLL_OWN = POLL_WAKES + TRACE_WAKES };

/* What the command itself waits for. */
static void own_polls(const struct trace *trace, struct pollfd *polls) {
    const struct trace_sink *sink = trace->request->sink;
    polls[POLL_SIGNALS] = (struct pollfd){.fd = signals_descriptor(), .events = POLLIN};
    /* no events: only that nobody reads it any more */
    polls[POLL_OUTPUT] = (struct pollfd){.fd = trace->output_error ? -1 : fileno(trace->out)};
    for (int i = 0; i < TRACE_WAKES; i++) {
        polls[POLL_WAKES + i] = (struct pollfd){
            .fd = sink == NULL || sink->woken == NULL ? -1 : sink->wakes[i], .events = POLLIN};
    }
}

static void take_own(struct trace *trace, const struct pollfd *polls) {
    signals_clear();
    if (polls[POLL_OUTPUT].revents & (POLLERR | POLLNVAL)) {
        trace->output_error = EPIPE;
    }
    for (int i = 0; i < TRACE_WAKES; i++) {
        trace->woken = trace->woken || polls[POLL_WAKES + i].revents != 0;
    }
}

/* Waits until there is something to take or `until` (ns of CLOCK_MONOTONIC) has come. */
static void wait_until(struct trace *trace, uint64_t until) {
    struct pollfd *polls;
    size_t count = processes_polls(&trace->processes, &polls, POLL_OWN);
    uint64_t now = clocks_now();
    uint64_t due = processes_due(&trace->processes);
    uint64_t end = due < until ? due : until;
    uint64_t left = end > now ? end - now : 0;
    struct timespec timeout = {.tv_sec = (time_t)(left / 1000000000), .tv_nsec = (long)(left % 1000000000)};
    own_polls(trace, polls);
    if (signals_came() == 0 && ppoll(polls, (nfds_t)count, &timeout, NULL) > 0) {
        take_own(trace, polls);
    }
    free(polls);
    processes_receive(&trace->processes);
}

/* Waits until the processes have answered, and as long as may be for their hooks. */
static void arm(struct trace *trace) {
    uint64_t start = clocks_now();
    unsigned probes;
    for (;;) {
        size_t asked = processes_in(&trace->processes, SESSION_ASKED, &probes);
        size_t open = processes_in(&trace->processes, SESSION_OPEN, &probes);
        size_t armed = processes_in(&trace->processes, SESSION_ARMED, &probes);
        uint64_t until = start + (asked > open ? ANSWER_MAX : ARM_MAX);
        if (armed == asked || clocks_now() >= until || signals_came() != 0) {
            return;
        }
        wait_until(trace, until);
    }
}

/* A trace begins without those that take their time, and has them when they answer. */
static void tell_silent(const struct trace *trace) {
    for (size_t i = 0; i < trace->processes.count; i++) {
        const struct process *process = trace->processes.items[i];
        if (process->wanted && process->session.state == SESSION_ASKED && signals_came() == 0) {
            command_error("process %ld does not answer, and is traced as soon as it does: is it stopped?",
                          (long)process->target.pid);
        }
    }
}

static void announce_armed(struct trace *trace) {
    unsigned probes;
    size_t count = processes_in(&trace->processes, SESSION_OPEN, &probes);
    if (!trace->quiet && count > 0 && !trace->announced) {
        command_error("tracing %u probe%s in %zu process%s", probes, probes == 1 ? "" : "s", count,
                      count == 1 ? "" : "es");
    }
    trace->announced = trace->announced || count > 0;
}

/* How a session can end, in words for stderr. Some are news even to those who asked for quiet; that a process
   has ended needs no reason, and none at all to whom its end is that of the trace. */
static const struct ending {
    const char *why;
    const char *words;
    bool with_process;
    bool fails; /* the trace */
} endings[] = {
    {"exit", "has exited", true, false},          {"died", "has died", true, false},
    {"maxrate", "was let go", false, false},      {"maxcpu", "was let go", false, false},
    {"lost", "is no longer traced", false, true}, {"refused", "is not traced", false, true},
};

static bool is_child(const struct trace *trace, pid_t pid) {
    for (size_t i = 0; i < trace->processes.child_count; i++) {
        if (trace->processes.children[i].pid == pid) {
            return true;
        }
    }
    return false;
}

/* Whether a process that has hung up goes on as another program. Both an end and an exec let the agent's
   thread go first. */
static bool runs_on(pid_t pid) {
    enum { LOOKS = 50, BETWEEN_MILLISECONDS = 10 };
    for (int i = 0; i < LOOKS; i++) {
        bool is_other = !process_has_extension(pid);
        if (!process_lives(pid)) {
            return false;
        }
        if (is_other) {
            return true;
        }
        poll(NULL, 0, BETWEEN_MILLISECONDS);
    }
    return true; /* this program again */
}

/* One that has become another program has not died. A later version may know other words. */
static const struct ending *ending_of(const struct session *session) {
    static const struct ending changed = {"died", "runs another program now", true, false};
    static const struct ending other = {"", "is no longer traced", false, true};
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        if (strcmp(endings[i].why, session->why) == 0) {
            bool lives = strcmp(session->why, changed.why) == 0 && runs_on(session->pid);
            return lives ? &changed : &endings[i];
        }
    }
    return &other;
}

static void tell_end(const struct trace *trace, const struct session *session, const struct ending *ending) {
    if (!ending->with_process) {
        command_error("process %ld %s%s%s", (long)session->pid, ending->words,
                      session->text[0] == '\0' ? "" : ": ", session->text);
    } else if (!trace->quiet && !is_child(trace, session->pid)) {
        command_error("process %ld %s", (long)session->pid, ending->words);
    }
}

/* Tells what the processes have said since the last time, once. */
static void hear_processes(struct trace *trace) {
    for (size_t i = 0; i < trace->processes.count; i++) {
        struct session *session = &trace->processes.items[i]->session;
        if (session->problem[0] != '\0') {
            command_error("process %ld: %s", (long)session->pid, session->problem);
            session->problem[0] = '\0';
        }
        if (session->state == SESSION_ENDED && !session->told) {
            session->told = true;
            const struct ending *ending = ending_of(session);
            trace->failed = trace->failed || ending->fails;
            consumer_process_gone(trace->consumer, (uint32_t)session->pid);
            consumer_pass(trace->consumer, UINT64_MAX);
            tell_end(trace, session, ending);
            if (trace->request->sink != NULL && trace->request->sink->process_gone != NULL) {
                trace->request->sink->process_gone(trace->request->sink->output.context, session->pid);
            }
        }
    }
}

static uint64_t switch_rate(const struct trace *trace) {
    int64_t set = trace->compiled.program->options[OPTION_SWITCHRATE];
    return set == OPTION_UNSET || set <= 0 ? 0 : (uint64_t)set;
}

/* Fast while there is something to print, slower and slower when there is not; or as switchrate says. */
static void choose_pace(struct trace *trace, uint64_t now) {
    uint64_t records = consumer_records(trace->consumer);
    uint64_t set = switch_rate(trace);
    if (now < trace->begun + START) {
        trace->pace = PACE_FIRST;
    } else if (set > 0) {
        trace->pace = set;
    } else if (records != trace->records) {
        trace->pace = 10 * MILLISECOND;
    } else {
        trace->pace = trace->pace * 2 < PACE_IDLE ? trace->pace * 2 : PACE_IDLE;
    }
    trace->records = records;
}

static const char *output_name(const struct trace *trace) {
    const struct trace_request *request = trace->request;
    const char *name = request->sink != NULL ? request->sink->name : request->output;
    return name == NULL ? "the output" : name;
}

/* An output that fails is worth a line, unless it is a pipe that is read no longer: then it is the end. */
static enum consumer_state note_output(struct trace *trace, enum consumer_state state) {
    if (state != CONSUMER_FAILED || trace->output_error != 0) {
        return state;
    }
    trace->output_error = errno == EINTR ? EPIPE : errno;
    if (trace->output_error != EPIPE) {
        command_error("cannot write %s: %s", output_name(trace), strerror(trace->output_error));
    }
    return state;
}

/* Calls a function of the sink, if there is one, and nothing has failed before. */
static enum consumer_state call_sink(struct trace *trace, bool (*function)(void *context)) {
    if (function == NULL || trace->output_error != 0) {
        return CONSUMER_GOING;
    }
    errno = 0;
    bool good = function(trace->request->sink->output.context);
    return note_output(trace, good ? CONSUMER_GOING : CONSUMER_FAILED);
}

static enum consumer_state pass(struct trace *trace, uint64_t now) {
    unsigned probes;
    /* What this thread alone has recorded is all there. */
    bool alone = processes_in(&trace->processes, SESSION_ASKED, &probes) == 0;
    enum consumer_state state =
        note_output(trace, consumer_pass(trace->consumer, alone ? UINT64_MAX : now - SETTLE));
    trace->last_pass = now;
    trace->fired = false;
    choose_pace(trace, now);
    if (trace->request->sink != NULL && state == CONSUMER_GOING) {
        state = call_sink(trace, trace->request->sink->passed);
    }
    return state;
}

/* What has been recorded until it was woken is handed over first. */
static void wake_sink(struct trace *trace) {
    if (trace->woken) {
        struct timespec settle = {.tv_nsec = (long)SETTLE};
        trace->woken = false;
        nanosleep(&settle, NULL);
        pass(trace, clocks_now());
        call_sink(trace, trace->request->sink->woken);
    }
}

static uint64_t earlier(uint64_t one, uint64_t other) {
    return one < other ? one : other;
}

/* Fires what is due. What printa() prints are the values when it is read: where the command was held up for
   longer than a period, each firing is read before the next, if they are few. Returns the time. */
static uint64_t fire_clocks(struct trace *trace) {
    enum { EACH_MAX = 16 };
    uint64_t now = clocks_now();
    for (int i = 0; clocks_due(trace->clocks) <= now; i++) {
        if (trace->fired && i < EACH_MAX && pass(trace, now) != CONSUMER_GOING) {
            break;
        }
        trace->fired = clocks_fire_one(trace->clocks, now);
    }
    return now;
}

/* Returns when the trace is to end. */
static void run(struct trace *trace) {
    int64_t maxtime = program_option(trace->compiled.program, OPTION_MAXTIME);
    uint64_t stop = maxtime > 0 ? trace->begun + (uint64_t)maxtime : UINT64_MAX;
    for (;;) {
        uint64_t now = fire_clocks(trace);
        hear_processes(trace);
        announce_armed(trace);
        bool exiting = arena_activity(trace->arena) >= ARENA_EXITING;
        if ((now >= trace->last_pass + trace->pace || exiting) && pass(trace, now) != CONSUMER_GOING) {
            return;
        }
        wake_sink(trace);
        if (exiting || now >= stop || signals_came() != 0 || trace->output_error != 0 ||
            trace->arena->header->filled != 0 || processes_over(&trace->processes)) {
            return;
        }
        processes_follow(&trace->processes, trace->compiled.program);
        uint64_t next = earlier(clocks_due(trace->clocks), trace->last_pass + trace->pace);
        wait_until(trace, earlier(next, stop));
    }
}

/* As dtrace does, so that what END prints does not stand behind a terminal's "^C". */
static void end_line(const struct trace *trace) {
    FILE *out = trace->output_error != 0 ? stderr : trace->out;
    if (signals_came() != 0 && trace->request->sink == NULL &&
        program_option(trace->compiled.program, OPTION_OFORMAT) == 0) {
        fputc('\n', out);
        fflush(out);
    }
}

/* After a signal: is there room for what END prints? If not in time, nobody reads it. */
static void await_reader(struct trace *trace) {
    struct pollfd polled = {.fd = fileno(trace->out), .events = POLLOUT};
    bool may_wait = signals_came() != 0 && polled.fd >= 0;
    while (may_wait && trace->output_error == 0 && poll(&polled, 1, -1) <= 0) {
        if (errno != EINTR || signals_impatient()) {
            trace->output_error = EPIPE;
        }
    }
}

/* Where nobody reads it, or the disk is full: what END prints goes where the messages go. */
static void divert_output(struct trace *trace) {
    if (trace->output_error != 0) {
        consumer_divert(trace->consumer, stderr);
    }
}

static void end(struct trace *trace) {
    arena_advance(trace->arena, ARENA_EXITING);
    processes_stop(&trace->processes);
    if (trace->announced) {
        struct timespec settle = {.tv_nsec = (long)SETTLE}; /* clauses that run just now come to their end */
        nanosleep(&settle, NULL);
    }
    if (trace->output_error == 0) {
        note_output(trace, consumer_pass(trace->consumer, UINT64_MAX));
    }
    await_reader(trace);
    divert_output(trace);
    end_line(trace);
    clocks_end(trace->clocks);
    arena_advance(trace->arena, ARENA_STOPPED);
    note_output(trace, consumer_pass(trace->consumer, UINT64_MAX));
    note_output(trace, consumer_end(trace->consumer));
    if (trace->request->sink != NULL) {
        call_sink(trace, trace->request->sink->ended);
    }
}

/* No process is wanted by a program of which that is the purpose. */
static int nothing_to_trace(const struct trace *trace) {
    if (trace->processes.child_count == 0) {
        return targets_none();
    }
    return command_error("%s is not a Python program in which catprobe is installed",
                         trace->request->program != NULL ? trace->request->program[0]
                                                         : trace->request->commands[0]);
}

static int trace_and_print(struct trace *trace) {
    unsigned probes;
    size_t wanted = processes_want(&trace->processes, trace->compiled.program);
    if (wanted == 0 && trace->request->must_trace) {
        return nothing_to_trace(trace);
    }
    if (!processes_trace(&trace->processes, trace->compiled.program, trace->arena_descriptor)) {
        return STATUS_FAILED;
    }
    arm(trace);
    if (wanted > 0 && !trace->processes.follows &&
        processes_in(&trace->processes, SESSION_ASKED, &probes) == 0 && signals_came() == 0) {
        hear_processes(trace); /* each says why not */
        return STATUS_FAILED;
    }
    clocks_begin(trace->clocks);
    arena_advance(trace->arena, ARENA_ACTIVE);
    trace->begun = trace->last_pass = clocks_now();
    trace->pace = PACE_FIRST;
    note_output(trace, consumer_pass(trace->consumer, UINT64_MAX));
    tell_silent(trace);
    announce_armed(trace);
    if (signals_came() == 0 && !processes_release(&trace->processes)) {
        return STATUS_FAILED;
    }
    run(trace);
    end(trace);
    bool lost = trace->output_error != 0 && trace->output_error != EPIPE;
    int status = consumer_exit_status(trace->consumer);
    return lost || (trace->failed && status == STATUS_OK) ? STATUS_FAILED : status;
}

/* Closes in the reverse order of opening; whatever was opened. */
static void close_all(struct trace *trace) {
    if (trace->consumer != NULL) {
        consumer_close(trace->consumer);
    }
    clocks_close(trace->clocks);
    processes_close(&trace->processes);
    if (trace->arena != NULL) {
        arena_unmap(trace->arena);
    }
    if (trace->arena_descriptor >= 0) {
        close(trace->arena_descriptor);
    }
    if (trace->out != NULL && trace->out != stdout && trace->request->sink == NULL &&
        fclose(trace->out) != 0) {
        command_error("cannot write %s: %s", trace->request->output, strerror(errno));
    }
    catalog_close(&trace->catalog);
    free(trace->compiled.program);
    free(trace->compiled.matched);
    free(trace->sources);
}

static int prepare_and_trace(struct trace *trace) {
    const struct trace_request *request = trace->request;
    if (!processes_open(&trace->processes, request, &trace->catalog) || !compile(trace)) {
        return STATUS_FAILED;
    }
    if (request->show_code && !show_code(trace)) {
        return STATUS_FAILED;
    }
    if (request->compile_only) {
        if (request->verbose) {
            compile_explain(request, &trace->compiled);
        }
        return STATUS_OK;
    }
    trace->quiet = request->compiler.options[OPTION_QUIET] > 0;
    if (!open_output(trace) || !compile_announce(request, &trace->compiled) || !open_session(trace)) {
        return STATUS_FAILED;
    }
    return trace_and_print(trace);
}

int trace_run(const struct trace_request *request) {
    struct trace trace = {.request = request, .arena_descriptor = -1};
    if (!signals_catch()) {
        return STATUS_FAILED;
    }
    catalog_open(&trace.catalog);
    int status = prepare_and_trace(&trace);
    close_all(&trace);
    return status;
}
