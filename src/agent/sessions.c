/*
 * sessions.c: opening, watching and ending sessions, from the agent's thread: no malloc, no waiting.
 */
#ifndef _GNU_SOURCE
#    define _GNU_SOURCE /* F_GET_SEALS */
#endif
#include "sessions.h"

#include "engine/arena.h"
#include "engine/engine.h"
#include "firing.h"
#include "program/program.h"
#include "sampler/sampler.h"
#include "viewers.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#ifndef MSG_NOSIGNAL
#    define MSG_NOSIGNAL 0 /* macOS: control_accept set SO_NOSIGPIPE */
#endif

enum {
    CLOSING_MS = 1,       /* between looks at whether a session's engine is out of use */
    ARMING_MS = 1,        /* between looks at whether its hooks are there, */
    ARMING_SOON_MS = 100, /* for so long; then they wait for Python to run */
    IDLE_MS = 10,         /* a process that uses no time of a processor for so long runs no Python, */
    IDLE_NS = 500 * 1000, /* or less than this */
    RAIL_MS = 1000,       /* over which the cost of a session is measured */
    LAST_TRIES = 20,      /* looks at whether an engine is out of use, when the process ends */
    CLOCK_NAME_MAX = 32,  /* bytes of "profile-997" with its '\0' */
};

_Static_assert((int)SAMPLER_SESSIONS_MAX == (int)CONTROL_SESSIONS_MAX, "each session may have clocks");
_Static_assert(PROBE_COUNT + SAMPLER_CLOCKS_MAX <= 64, "engine_wants() has a bit for each");

enum session_state {
    SESSION_NONE,
    SESSION_ARMING,  /* admitted; its hooks are not there yet */
    SESSION_AWAITED, /* the same, but as the process waits in C, it has been told that it is armed */
    SESSION_ARMED,   /* its hooks are there, and the consumer knows it */
    SESSION_STOPPED, /* dismissed, since the arena says that the trace is over; the consumer reads on */
    SESSION_CLOSING, /* dismissed; closed when nobody is in its engine */
};

struct session {
    enum session_state state;
    uint32_t pid; /* of this process, as the consumer knows it */
    struct descriptor connection;
    struct arena *arena;
    struct engine_probe probes[PROBE_COUNT + SAMPLER_CLOCKS_MAX]; /* the clocks behind the others */
    char clock_names[SAMPLER_CLOCKS_MAX][CLOCK_NAME_MAX];
    struct sampler_clocks clocks;
    long long opened;              /* ms, monotonic */
    long long idle_since;          /* ms, monotonic: since then the process has used */
    long long time_used;           /* ns of processors, to begin with, by all threads but this one */
    int64_t maxrate, maxcpu;       /* of the program; 0: no limit */
    long long measured;            /* ms, monotonic: since when the following have grown */
    uint64_t firings, nanoseconds; /* of the engine, then */
    const char *problem;           /* told last, a constant string */
};

/* A session and the engine of it are in one place; firing_sessions has the engine. */
static struct session sessions[CONTROL_SESSIONS_MAX];

static bool usable;
static uint64_t serial; /* of the last session */

/* Descriptors in the program's table of which the agent has a copy of its own, to be closed. */
static struct descriptor left[SESSIONS_CONNECTIONS];
static bool separated; /* atomic: `left` is to be closed now */

static long long now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

/* Nanoseconds of processors that the process has used, but for this thread. */
static long long time_used(void) {
    struct timespec all, own;
    if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &all) != 0 ||
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &own) != 0)
        return 0;
    return (all.tv_sec - own.tv_sec) * 1000000000LL + (all.tv_nsec - own.tv_nsec);
}

/* ---- The request ---- */

struct trace_arguments {
    uint64_t pid, first;
    bool has_pid, has_first;
    const char *clocks; /* in the request's text: "30:profile-997,31:profile-10hz"; NULL: none */
    size_t clocks_length;
};

static const struct {
    const char *name;
    size_t value, has; /* offsets in struct trace_arguments */
    uint64_t low, high;
} argument_table[] = {
    {"pid", offsetof(struct trace_arguments, pid), offsetof(struct trace_arguments, has_pid), 1, INT32_MAX},
    {"first", offsetof(struct trace_arguments, first), offsetof(struct trace_arguments, has_first), 1,
     UINT32_MAX - PROBE_COUNT},
};
enum { ARGUMENTS = sizeof argument_table / sizeof argument_table[0] };

/* One NAME=NUMBER of `length` bytes. False: a line in `problem`. */
static bool take_argument(struct trace_arguments *arguments, const char *text, size_t length, char *problem,
                          size_t n) {
    size_t name = strcspn(text, "=");
    for (int i = 0; name < length && i < ARGUMENTS; i++) {
        if (strlen(argument_table[i].name) != name || memcmp(argument_table[i].name, text, name) != 0)
            continue;
        const char *digits = text + name + 1;
        size_t count = strspn(digits, "0123456789");
        uint64_t value = strtoull(digits, NULL, 10);
        bool good = count > 0 && count <= 19 && digits + count == text + length &&
                    value >= argument_table[i].low && value <= argument_table[i].high;
        if (!good) {
            snprintf(problem, n, "trace: %.*s is no number in the right range", (int)length, text);
            return false;
        }
        memcpy((char *)arguments + argument_table[i].value, &value, sizeof value);
        *(bool *)((char *)arguments + argument_table[i].has) = true;
        return true;
    }
    snprintf(problem, n, "trace: it does not know the argument %.*s", (int)length, text);
    return false;
}

/* clocks=LIST, which take_clocks() reads. */
static bool take_list(struct trace_arguments *arguments, const char *text, size_t length) {
    static const char name[] = "clocks=";
    if (strncmp(text, name, sizeof name - 1) != 0)
        return false;
    arguments->clocks = text + sizeof name - 1;
    arguments->clocks_length = length - (sizeof name - 1);
    return true;
}

static bool take_arguments(struct trace_arguments *arguments, const char *text, char *problem, size_t n) {
    *arguments = (struct trace_arguments){0};
    for (text += strspn(text, " "); *text; text += strspn(text, " ")) {
        size_t length = strcspn(text, " ");
        if (!take_list(arguments, text, length) && !take_argument(arguments, text, length, problem, n))
            return false;
        text += length;
    }
    if (arguments->has_pid && arguments->has_first)
        return true;
    snprintf(problem, n, "trace: the argument %s= is missing", arguments->has_pid ? "first" : "pid");
    return false;
}

/* One clock, ID:NAME, of `length` bytes. */
static bool take_clock(struct session *session, const char *text, size_t length) {
    static const char prefix[] = "profile-";
    size_t digits = strspn(text, "0123456789");
    uint32_t at = session->clocks.count;
    if (at == SAMPLER_CLOCKS_MAX || digits == 0 || digits > 10 || digits >= length || text[digits] != ':' ||
        length - digits - 1 >= CLOCK_NAME_MAX)
        return false;
    uint64_t id = strtoull(text, NULL, 10);
    char *name = session->clock_names[at];
    memcpy(name, text + digits + 1, length - digits - 1);
    name[length - digits - 1] = '\0';
    session->clocks.periods[at] = program_clock_period(name);
    if (strncmp(name, prefix, sizeof prefix - 1) != 0 || !session->clocks.periods[at] || id > UINT32_MAX)
        return false;
    session->probes[PROBE_COUNT + at] =
        (struct engine_probe){.id = (uint32_t)id, .provider = "profile", .name = name};
    session->clocks.count++;
    return true;
}

/* False: a line in `problem`. */
static bool take_clocks(struct session *session, const struct trace_arguments *arguments, char *problem,
                        size_t n) {
    const char *text = arguments->clocks, *end = text ? text + arguments->clocks_length : NULL;
    while (text < end) {
        size_t left = (size_t)(end - text), length = strcspn(text, ",");
        length = length < left ? length : left;
        if (!take_clock(session, text, length)) {
            snprintf(problem, n, "trace: %.*s is no clock, or one more than %d", (int)length, text,
                     SAMPLER_CLOCKS_MAX);
            return false;
        }
        text += length < left ? length + 1 : length;
    }
    return true;
}

/* The program of a sealed file, mapped; NULL: a line in `problem`. Nobody can change it meanwhile. */
static const struct program_header *map_program(int fd, size_t *size, char *problem, size_t n) {
    struct stat status;
    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
        snprintf(problem, n, "trace: the program is not in a memory file");
        return NULL;
    }
#if defined F_GET_SEALS
    int wanted = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW, seals = fcntl(fd, F_GET_SEALS);
    if (seals < 0 || (seals & wanted) != wanted) {
        snprintf(problem, n,
                 "trace: the program's file is not sealed against writing, shrinking and growing");
        return NULL;
    }
#endif
    if (status.st_size < (off_t)sizeof(struct program_header) || status.st_size > PROGRAM_SIZE_MAX) {
        snprintf(problem, n, "trace: a program of %lld bytes; %zu to %d are possible",
                 (long long)status.st_size, sizeof(struct program_header), PROGRAM_SIZE_MAX);
        return NULL;
    }
    *size = (size_t)status.st_size;
    void *program = mmap(NULL, *size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (program == MAP_FAILED) {
        snprintf(problem, n, "trace: the program cannot be mapped: %s", strerror(errno));
        return NULL;
    }
    return program;
}

/* ---- Opening ---- */

static int free_place(void) {
    int place = 0;
    while (place < CONTROL_SESSIONS_MAX && sessions[place].state != SESSION_NONE)
        place++;
    return place;
}

static int free_places(void) {
    int count = 0;
    for (int i = 0; i < CONTROL_SESSIONS_MAX; i++)
        count += sessions[i].state == SESSION_NONE;
    return count;
}

static unsigned probe_count(const struct session *session) {
    return PROBE_COUNT + session->clocks.count;
}

/* How many enablings of a checked program can match one of our probes? */
static unsigned count_enablings(const struct session *session, const struct program_header *program,
                                const char *provider) {
    const struct program_enabling *enabling = program_entries(program, SECTION_ENABLINGS);
    unsigned count = 0;
    for (uint32_t i = 0; i < program_count(program, SECTION_ENABLINGS); i++, enabling++) {
        bool found = false;
        for (unsigned probe = 0; probe < probe_count(session) && !found; probe++) {
            const struct engine_probe *known = &session->probes[probe];
            found = program_glob(program_string(program, enabling->provider),
                                 known->provider ? known->provider : provider) &&
                    program_glob(program_string(program, enabling->name), known->name);
        }
        count += found;
    }
    return count;
}

static void describe_probes(struct session *session, uint32_t first) {
    for (unsigned probe = 0; probe < PROBE_COUNT; probe++) {
        session->probes[probe] = firing_probe((enum probe)probe);
        session->probes[probe].id = first + probe;
    }
}

/* Has the session's engine opened and everything about it noted; nothing fires yet. */
static bool open_engine(int place, const struct program_header *program, size_t size, const char *provider,
                        char *problem, size_t n) {
    struct session *session = &sessions[place];
    struct engine_host host = {
        .provider = provider,
        .pid = session->pid,
        .probes = session->probes,
        .probe_count = probe_count(session),
        .stack = firing_stack,
        .stackdepth = firing_stackdepth,
    };
    struct engine *engine = engine_open(program, size, session->arena, &host, problem, n);
    if (!engine)
        return false;
    firing_sessions[place] = (struct firing_session){
        .serial = serial + 1,
        .engine = engine,
        .wants = (probe_set)engine_wants(engine) & PROBE_ALL,
        .selective = (probe_set)engine_selective(engine) & PROBES_OF_CODE,
        .pid = session->pid,
    };
    serial++;
    session->maxrate = program_option(program, OPTION_MAXRATE);
    session->maxcpu = program_option(program, OPTION_MAXCPU);
    session->clocks.idle = program_option(program, OPTION_PROFILE) > 0;
    return true;
}

static void fire_clock(int place, uint32_t clock, uint32_t tid) {
    firing_tick(place, PROBE_COUNT + clock, tid);
}

/* Nothing fires before the session is admitted. */
static void start_clocks(int place, bool own_descriptors, struct control_reply *reply) {
    struct session *session = &sessions[place];
    char problem[CONTROL_ERROR_MAX];
    session->clocks.fire = fire_clock;
    for (uint32_t i = 0; i < session->clocks.count; i++)
        control_reply_add(reply, "wants", "%s", session->clock_names[i]);
    if (session->clocks.count &&
        !sampler_add_clocks(place, &session->clocks, own_descriptors, problem, sizeof problem))
        control_reply_add(reply, "problem", "%s does not fire here: %s", session->clock_names[0], problem);
}

static void begin_reply(struct control_reply *reply, int place, unsigned enablings) {
    probe_set wants = firing_sessions[place].wants;
    control_reply_begin(reply, 2);
    control_reply_add(reply, "session", "%llu", (unsigned long long)firing_sessions[place].serial);
    control_reply_add(reply, "enablings", "%u", enablings);
    for (unsigned probe = 0; probe < PROBE_COUNT; probe++) {
        if (!(wants & PROBE_BIT(probe)))
            continue;
        control_reply_add(reply, "wants", "%s", probe_table[probe].name);
        if (hooks_unavailable() & PROBE_BIT(probe))
            control_reply_add(reply, "problem", "%s is not available on this version of CPython",
                              probe_table[probe].name);
    }
}

/* False: a line in `problem`, and nothing is left behind. */
static bool open_at(int place, const struct control_request *request, const struct trace_arguments *arguments,
                    bool own_descriptors, struct control_reply *reply, char *problem, size_t n) {
    struct session *session = &sessions[place];
    char provider[32];
    size_t size;
    const struct program_header *program = map_program(request->descriptor[0], &size, problem, n);
    if (!program)
        return false;
    *session = (struct session){.connection = DESCRIPTOR_NONE, .pid = (uint32_t)arguments->pid};
    describe_probes(session, (uint32_t)arguments->first);
    snprintf(provider, sizeof provider, "python%lu", (unsigned long)arguments->pid);
    if (take_clocks(session, arguments, problem, n))
        session->arena = arena_map(request->descriptor[1], problem, n);
    bool opened = session->arena && open_engine(place, program, size, provider, problem, n);
    if (opened) {
        begin_reply(reply, place, count_enablings(session, program, provider));
        start_clocks(place, own_descriptors, reply);
        control_reply_end(reply);
    } else if (session->arena) {
        arena_unmap(session->arena);
    }
    munmap((void *)program, size);
    return opened;
}

bool sessions_open(struct descriptor connection, struct control_request *request, bool own_descriptors,
                   struct control_reply *reply) {
    char problem[CONTROL_ERROR_MAX] = "";
    struct trace_arguments arguments;
    int place = free_place();
    bool opened = false;
    if (!usable)
        snprintf(problem, sizeof problem, "trace: there was no memory for sessions");
    else if (request->descriptors != CONTROL_DESCRIPTORS_MAX)
        snprintf(problem, sizeof problem,
                 "trace: %d file descriptors came with it, not two: program and arena", request->descriptors);
    else if (!take_arguments(&arguments, request->arguments, problem, sizeof problem)) {
    } else if (place == CONTROL_SESSIONS_MAX)
        snprintf(problem, sizeof problem,
                 "trace: it is traced by %d consumers already, the most there can be", CONTROL_SESSIONS_MAX);
    else
        opened = open_at(place, request, &arguments, own_descriptors, reply, problem, sizeof problem);
    control_request_close(request);
    if (!opened) {
        control_reply_error(reply, "%s", problem);
        return false;
    }
    struct session *session = &sessions[place];
    session->connection = connection;
    session->opened = session->idle_since = session->measured = now_ms();
    session->time_used = time_used();
    session->state = SESSION_ARMING;
    firing_admit(place);
    return true;
}

/* ---- What is told ---- */

static void tell(struct session *session, const char *format, ...) CONTROL_PRINTF(2, 3);
static void tell(struct session *session, const char *format, ...) {
    char line[CONTROL_ERROR_MAX];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(line, sizeof line - 1, format, arguments);
    va_end(arguments);
    if (length < 0 || !descriptor_is_ours(&session->connection))
        return;
    if ((size_t)length > sizeof line - 2)
        length = sizeof line - 2;
    control_clean(line, (size_t)length);
    line[length++] = '\n';
    (void)!send(session->connection.fd, line, (size_t)length, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* A hook that cannot be had, or not as usual, is worth a line when that is new. */
static void tell_problem(struct session *session) {
    const char *problem = hooks_problem();
    if (*problem && problem != session->problem)
        tell(session, "problem %s", problem);
    session->problem = problem;
}

static void tell_missing_hooks(int place) {
    probe_set wanted = firing_sessions[place].wants & ~hooks_unavailable();
    for (unsigned probe = 0; probe < PROBE_COUNT; probe++)
        if ((wanted & PROBE_BIT(probe)) && hooks_engine_of((enum probe)probe) == ENGINE_NONE)
            tell(&sessions[place], "problem there is no hook for %s", probe_table[probe].name);
}

/* Does the process only wait? Then it installs the hooks before it calls a Python function. */
static bool process_waits(struct session *session, long long now) {
    if (now - session->idle_since < IDLE_MS)
        return false;
    long long before = session->time_used;
    session->idle_since = now;
    session->time_used = time_used();
    return session->time_used - before < IDLE_NS;
}

static void arm(int place, long long now) {
    struct session *session = &sessions[place];
    bool settled = firing_is_settled(place);
    if (!settled && (session->state == SESSION_AWAITED || !process_waits(session, now)))
        return;
    if (settled) {
        tell_problem(session);
        tell_missing_hooks(place);
    }
    if (session->state == SESSION_ARMING)
        tell(session, "armed");
    session->state = settled ? SESSION_ARMED : SESSION_AWAITED;
}

/* ---- Ending ---- */

/* Stop the session; its memory goes as soon as no thread uses it. */
static void end(int place) {
    struct session *session = &sessions[place];
    firing_dismiss(place);
    sampler_remove_clocks(place);
    if (descriptor_is_ours(&session->connection))
        shutdown(session->connection.fd, SHUT_RDWR); /* the program's table may have a copy */
    descriptor_close(&session->connection);
    session->state = SESSION_CLOSING;
}

static void close_those_ended(void) {
    bool over = false;
    for (int i = 0; i < CONTROL_SESSIONS_MAX; i++) {
        if (sessions[i].state != SESSION_CLOSING || !(over = over || firing_is_over()))
            continue;
        engine_close(firing_sessions[i].engine);
        arena_unmap(sessions[i].arena);
        firing_sessions[i] = (struct firing_session){0};
        sessions[i] = (struct session){.connection = DESCRIPTOR_NONE};
    }
}

/* What the session costs the program, in what the options count it. */
static const struct rail {
    const char *option;
    size_t limit; /* offset in struct session */
    const char *unit;
} rails[] = {
    {"maxrate", offsetof(struct session, maxrate), " firings a second"},
    {"maxcpu", offsetof(struct session, maxcpu), "% of the time spent in probes"},
};

/* Ends a session that costs more than it may. */
static bool end_if_too_costly(int place, long long now) {
    struct session *session = &sessions[place];
    long long elapsed = now - session->measured;
    if ((session->maxrate <= 0 && session->maxcpu <= 0) || elapsed < RAIL_MS)
        return false;
    uint64_t firings = engine_firings(firing_sessions[place].engine);
    uint64_t nanoseconds = engine_spent(firing_sessions[place].engine);
    int64_t costs[] = {(int64_t)((firings - session->firings) * 1000 / (uint64_t)elapsed),
                       (int64_t)((nanoseconds - session->nanoseconds) / 10000 / (uint64_t)elapsed)};
    session->measured = now;
    session->firings = firings;
    session->nanoseconds = nanoseconds;
    for (size_t i = 0; i < sizeof rails / sizeof rails[0]; i++) {
        int64_t limit = *(const int64_t *)(const void *)((const char *)session + rails[i].limit);
        if (limit <= 0 || costs[i] <= limit)
            continue;
        tell(session,
             "gone %s %lld%s, more than -x %s=%lld: name fewer functions, or allow it with -x %s=%lld",
             rails[i].option, (long long)costs[i], rails[i].unit, rails[i].option, (long long)limit,
             rails[i].option, (long long)costs[i] * 2);
        end(place);
        return true;
    }
    return false;
}

/* Takes what the consumer says, which is nothing; false when it has gone. */
static bool consumer_is_there(struct session *session) {
    char ignored[256];
    if (!descriptor_is_ours(&session->connection))
        return false;
    ssize_t got;
    int most = 16; /* one that sends without end has its turn, like others */
    do
        got = recv(session->connection.fd, ignored, sizeof ignored, MSG_DONTWAIT);
    while (got > 0 && --most);
    return got > 0 || (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR));
}

/* A trace that is over costs nothing more. */
static void stop_if_over(int place) {
    if (arena_activity(sessions[place].arena) < ARENA_EXITING)
        return;
    firing_dismiss(place);
    sampler_remove_clocks(place);
    sessions[place].state = SESSION_STOPPED;
}

static void serve(int place, long long now) {
    struct session *session = &sessions[place];
    if (!consumer_is_there(session)) {
        end(place);
        return;
    }
    if (session->state == SESSION_STOPPED)
        return;
    if (session->state == SESSION_ARMED)
        tell_problem(session);
    else
        arm(place, now);
    if (!end_if_too_costly(place, now))
        stop_if_over(place);
}

void sessions_serve(void) {
    long long now = now_ms();
    for (int i = 0; i < CONTROL_SESSIONS_MAX; i++)
        if (sessions[i].state != SESSION_NONE && sessions[i].state != SESSION_CLOSING)
            serve(i, now);
    close_those_ended();
}

void sessions_end(const char *why, const char *text) {
    bool any = false;
    for (int i = 0; i < CONTROL_SESSIONS_MAX; i++) {
        if (sessions[i].state != SESSION_NONE && sessions[i].state != SESSION_CLOSING) {
            tell(&sessions[i], "gone %s %s", why, text);
            end(i);
        }
        any = any || sessions[i].state == SESSION_CLOSING;
    }
    for (int i = 0; any && !firing_is_over() && i < LAST_TRIES; i++)
        nanosleep(&(struct timespec){.tv_nsec = CLOSING_MS * 1000 * 1000}, NULL);
    close_those_ended();
}

void sessions_polled(struct pollfd *polled) {
    for (int i = 0; i < CONTROL_SESSIONS_MAX; i++)
        polled[i] = (struct pollfd){.fd = sessions[i].state == SESSION_NONE ? -1 : sessions[i].connection.fd,
                                    .events = POLLIN};
}

int sessions_patience(void) {
    int patience = -1;
    for (int i = 0; i < CONTROL_SESSIONS_MAX; i++) {
        if (sessions[i].state == SESSION_CLOSING)
            return CLOSING_MS;
        if (sessions[i].state == SESSION_ARMING && now_ms() - sessions[i].opened < ARMING_SOON_MS)
            patience = ARMING_MS;
    }
    return patience;
}

/* ---- For the threads of the program ---- */

void sessions_initialise(void) {
    for (int i = 0; i < CONTROL_SESSIONS_MAX; i++)
        sessions[i].connection = DESCRIPTOR_NONE;
    for (int i = 0; i < SESSIONS_CONNECTIONS; i++)
        left[i] = DESCRIPTOR_NONE;
    usable = firing_initialise();
}

void sessions_leave(void) {
    if (usable)
        firing_leave();
}

bool sessions_exist(void) {
    return free_places() < CONTROL_SESSIONS_MAX;
}

bool sessions_unsettled(void) {
    return usable && firing_unsettled();
}

void sessions_settle(void) {
    sessions_close_left();
    if (usable)
        firing_settle();
}

void sessions_describe(struct control_reply *reply) {
    static const char *const states[] = {
        [SESSION_ARMING] = "arming",
        [SESSION_AWAITED] = "waiting",
        [SESSION_ARMED] = "armed",
        [SESSION_STOPPED] = "stopped",
    };
    for (int i = 0; i < CONTROL_SESSIONS_MAX; i++) {
        enum session_state state = sessions[i].state;
        if (state == SESSION_NONE || state == SESSION_CLOSING)
            continue;
        if ((state == SESSION_ARMED || state == SESSION_AWAITED) &&
            arena_activity(sessions[i].arena) < ARENA_ACTIVE)
            state = SESSION_ARMING; /* the consumer is at BEGIN: nothing is recorded yet */
        char names[512] = "";
        for (unsigned probe = 0; probe < probe_count(&sessions[i]); probe++) {
            size_t length = strlen(names);
            if (probe >= PROBE_COUNT || (firing_sessions[i].wants & PROBE_BIT(probe)))
                snprintf(names + length, sizeof names - length, "%s%s", length ? "," : "",
                         sessions[i].probes[probe].name);
        }
        control_reply_add(reply, "session", "%llu %s %s pid=%lu",
                          (unsigned long long)firing_sessions[i].serial, states[state], *names ? names : "-",
                          (unsigned long)sessions[i].pid);
    }
}

/* ---- Fork ---- */

static struct descriptor *connection_of(int i) {
    return i < CONTROL_SESSIONS_MAX ? &sessions[i].connection : viewers_connection(i - CONTROL_SESSIONS_MAX);
}

/* A message is one byte for each descriptor, its number for connection_of, and the descriptors. */
union handed {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(SESSIONS_CONNECTIONS * sizeof(int))];
};

void sessions_hand_over(int fd) {
    char places[SESSIONS_CONNECTIONS];
    int descriptors[SESSIONS_CONNECTIONS], count = 0;
    for (int i = 0; i < SESSIONS_CONNECTIONS; i++) {
        if (!descriptor_is_ours(connection_of(i)))
            continue;
        places[count] = (char)i;
        descriptors[count++] = connection_of(i)->fd;
    }
    if (!count)
        return;
    union handed control;
    memset(&control, 0, sizeof control);
    struct iovec vector = {.iov_base = places, .iov_len = (size_t)count};
    struct msghdr message = {.msg_iov = &vector,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = CMSG_SPACE((size_t)count * sizeof(int))};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN((size_t)count * sizeof(int));
    memcpy(CMSG_DATA(header), descriptors, (size_t)count * sizeof(int));
    (void)!sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

void sessions_take_over(int fd) {
    char places[SESSIONS_CONNECTIONS];
    union handed control;
    struct iovec vector = {.iov_base = places, .iov_len = sizeof places};
    struct msghdr message = {.msg_iov = &vector,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof control.bytes};
    for (int i = 0; i < SESSIONS_CONNECTIONS; i++)
        *connection_of(i) = DESCRIPTOR_NONE;
    if (fd < 0)
        return;
    ssize_t count = recvmsg(fd, &message, MSG_DONTWAIT);
    struct cmsghdr *header = count > 0 ? CMSG_FIRSTHDR(&message) : NULL;
    if (!header || header->cmsg_type != SCM_RIGHTS ||
        header->cmsg_len != CMSG_LEN((size_t)count * sizeof(int)))
        return;
    for (ssize_t i = 0; i < count; i++) {
        int handed;
        memcpy(&handed, CMSG_DATA(header) + (size_t)i * sizeof handed, sizeof handed);
        *connection_of(places[i]) = descriptor_of(control_raise_descriptor(handed));
    }
}

int sessions_kept(int kept[SESSIONS_CONNECTIONS]) {
    int count = 0;
    for (int i = 0; i < SESSIONS_CONNECTIONS; i++) {
        if (!descriptor_is_ours(connection_of(i)))
            continue;
        int at = count++;
        for (; at > 0 && kept[at - 1] > connection_of(i)->fd; at--)
            kept[at] = kept[at - 1];
        kept[at] = connection_of(i)->fd;
    }
    return count;
}

void sessions_separated(void) {
    for (int i = 0; i < SESSIONS_CONNECTIONS; i++)
        left[i] = *connection_of(i);
    __atomic_store_n(&separated, true, __ATOMIC_RELEASE);
}

void sessions_close_left(void) {
    if (!__atomic_exchange_n(&separated, false, __ATOMIC_ACQUIRE))
        return;
    for (int i = 0; i < SESSIONS_CONNECTIONS; i++)
        descriptor_close(&left[i]);
}

void sessions_after_fork_in_child(void) {
    for (int i = 0; i < CONTROL_SESSIONS_MAX; i++) {
        descriptor_close(&sessions[i].connection);
        sessions[i].state = SESSION_NONE;
    }
    for (int i = 0; i < SESSIONS_CONNECTIONS; i++)
        descriptor_close(&left[i]);
    separated = false;
    firing_after_fork_in_child();
}
